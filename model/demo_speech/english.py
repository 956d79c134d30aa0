"""The English sentences: templates over closed lists of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "thirtieth",
]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
NAMES = [
    "anna",
    "peter",
    "maria",
    "john",
    "susan",
    "david",
    "laura",
    "michael",
    "emma",
    "robert",
    "julia",
    "thomas",
    "karen",
    "daniel",
    "helen",
    "kevin",
    "sarah",
    "brian",
    "alice",
    "martin",
]
SURNAMES = [
    "smith",
    "johnson",
    "brown",
    "miller",
    "wilson",
    "taylor",
    "anderson",
    "jackson",
    "harris",
    "walker",
    "cooper",
    "morgan",
]
CITIES = ["london", "boston", "chicago", "denver", "dallas", "paris", "berlin", "sydney", "toronto", "madrid"]
COMPANIES = ["north bank", "city energy", "green mobile", "blue travel", "central insurance", "star delivery"]
THINGS = ["bill", "order", "account", "payment", "delivery", "contract", "refund", "invoice", "card", "booking"]
GOODS = ["phone", "laptop", "printer", "jacket", "camera", "ticket", "charger", "router", "table", "keyboard"]
STATES = ["late", "cancelled", "received", "sent", "confirmed", "returned", "damaged", "delayed"]
FACTS = ["number", "date", "name", "amount", "address", "password", "postcode"]
TEAMS = ["sales", "support", "billing", "technical", "customer"]
PERIODS = ["days", "hours", "minutes", "weeks"]
CHORES = ["check", "change", "send", "cancel"]

Template = Callable[[Random], str]


def digits(random: Random, low: int, high: int) -> str:
    """A digit string as one speaks it: "four seven zero"."""
    return " ".join(random.choice(ONES) for _ in range(random.randint(low, high)))


def below_hundred(number: int) -> str:
    """A cardinal from 1 to 99 in words."""
    if number < 10:
        return ONES[number]
    if number < 20:
        return TEENS[number - 10]
    return TENS[number // 10 - 2] + (f" {ONES[number % 10]}" if number % 10 else "")


def cardinal(number: int) -> str:
    """A cardinal from 1 to 9999 in words."""
    parts = []
    if number >= 1000:
        parts.append(f"{ONES[number // 1000]} thousand")
    if number % 1000 >= 100:
        parts.append(f"{ONES[number % 1000 // 100]} hundred")
    if number % 100:
        parts.append(below_hundred(number % 100))
    return " ".join(parts)


def several(random: Random, top: int) -> str:
    """A cardinal from 2 to just under `top`, at most 99."""
    return below_hundred(random.randrange(2, top))


def amount(random: Random) -> str:
    """A sum of money."""
    top = random.choice((20, 100, 1000, 10000))
    unit = random.choice(("dollars", "dollars", "euros", "pounds"))
    whole = f"{cardinal(random.randrange(2, top))} {unit}"
    return f"{whole} and {below_hundred(random.randrange(1, 100))} cents" if random.random() < 0.3 else whole


def date(random: Random) -> str:
    """A day of a month, with or without the weekday."""
    day = f"{random.choice(MONTHS)} {ordinal(random)}"
    return f"{random.choice(DAYS)} {day}" if random.random() < 0.4 else day


def ordinal(random: Random) -> str:
    """A day of the month as an ordinal."""
    if random.random() < 0.3:
        return f"twenty {random.choice(ORDINALS[:9])}"
    return random.choice(ORDINALS)


def clock(random: Random) -> str:
    """A time of the day."""
    hour = below_hundred(random.randint(1, 12))
    minute = random.choice(["", "fifteen", "thirty", "forty five", "ten", "twenty"])
    return " ".join(filter(None, [hour, minute, random.choice(["in the morning", "in the afternoon", "", ""])]))


def person(random: Random) -> str:
    """A first name, sometimes with a surname."""
    return f"{random.choice(NAMES)} {random.choice(SURNAMES)}" if random.random() < 0.5 else random.choice(NAMES)


def one_of(choices: Sequence[str]) -> Template:
    """A template that draws one of the choices."""
    return lambda random: random.choice(choices)


thing, good, day = one_of(THINGS), one_of(GOODS), one_of(DAYS)

TEMPLATES: tuple[tuple[float, Template], ...] = (
    (1, lambda r: f"thank you for calling {r.choice(COMPANIES)} this is {r.choice(NAMES)} how can i help you today"),
    (1, lambda r: f"good {r.choice(['morning', 'afternoon', 'evening'])} my name is {person(r)}"),
    (3, lambda r: f"my {r.choice(['account', 'order', 'card', 'customer'])} number is {digits(r, 4, 8)}"),
    (2, lambda r: f"please call me back at {digits(r, 6, 9)}"),
    (2, lambda r: f"no the number is {digits(r, 3, 7)}"),
    (2, lambda r: f"the code is {digits(r, 3, 6)} and the postcode is {digits(r, 4, 5)}"),
    (1, lambda r: f"let me repeat that {digits(r, 4, 8)} is that correct"),
    (2, lambda r: f"the total is {amount(r)}"),
    (2, lambda r: f"i paid {amount(r)} on {date(r)}"),
    (1, lambda r: f"your {thing(r)} of {amount(r)} is due on {date(r)}"),
    (1, lambda r: f"we can offer you a discount of {several(r, 100)} percent on the {good(r)}"),
    (2, lambda r: f"your appointment is on {date(r)} at {clock(r)}"),
    (1, lambda r: f"can we move the appointment to {day(r)} at {clock(r)}"),
    (1, lambda r: f"my name is {person(r)} and i have a question about my {thing(r)}"),
    (1, lambda r: f"the {r.choice(THINGS + GOODS)} was {r.choice(STATES)} on {r.choice([day, date])(r)}"),
    (1, lambda r: f"please hold while i check your {thing(r)} for {person(r)}"),
    (1, lambda r: f"can you repeat the {r.choice(FACTS)} and the {r.choice(FACTS)} please"),
    (1, lambda r: f"yes that is {r.choice(['correct', 'right', 'fine'])} thank you {r.choice(NAMES)}"),
    (1, lambda r: f"i am calling about the {good(r)} i ordered on {r.choice([day, date])(r)}"),
    (1, lambda r: f"we will send {several(r, 100)} {good(r)}s to {r.choice(CITIES)} before {day(r)}"),
    (1, lambda r: f"the price went up by {several(r, 100)} percent in {r.choice(MONTHS)}"),
    (1, lambda r: f"is there anything else i can help you with {person(r)}"),
    (1, lambda r: f"goodbye {r.choice(NAMES)} and have a nice {r.choice(['day', 'weekend', 'evening', 'week'])}"),
    (1, lambda r: f"i would like to {r.choice(['cancel', 'change', 'check', 'renew'])} my {thing(r)} from {date(r)}"),
    (1, lambda r: f"i will connect you to the {r.choice(TEAMS)} team in {r.choice(CITIES)}"),
    (1, lambda r: f"my address is {cardinal(r.randrange(1, 400))} {r.choice(SURNAMES)} street {r.choice(CITIES)}"),
    (1, lambda r: f"the {good(r)} does not work and i want a {r.choice(['refund', 'new one', 'discount'])}"),
    (1, lambda r: f"it takes {several(r, 60)} {r.choice(PERIODS[:3])} to {r.choice(CHORES)} the {thing(r)}"),
    (1, lambda r: f"i have been waiting for {several(r, 60)} {r.choice(PERIODS)}"),
    (1, lambda r: f"i am sorry to hear that {r.choice(NAMES)} let me check the {thing(r)}"),
    (1, lambda r: f"could you spell the {r.choice(['name', 'street', 'address'])} of {person(r)} please"),
    (1, lambda r: f"the flight to {r.choice(CITIES)} leaves on {day(r)} at {clock(r)}"),
)
