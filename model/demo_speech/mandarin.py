"""The Mandarin sentences: templates over closed lists, numbers written in characters."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

DIGITS = "零一二三四五六七八九"
SURNAMES = "李王张刘陈赵周吴孙林"
TITLES = ["先生", "女士", "经理", "小姐", "老师"]
THINGS = ["账单", "订单", "快递", "付款", "合同", "发票", "会员卡", "预约"]
GOODS = ["手机", "电脑", "相机", "打印机", "衣服", "电池", "键盘", "桌子"]
CITIES = ["北京", "上海", "广州", "南京", "成都", "武汉", "西安", "天津"]
COMPANIES = ["北方银行", "城市能源", "绿色通信", "蓝天旅行", "中央保险", "星光快递"]
FACTS = ["号码", "日期", "姓名", "金额", "地址", "密码"]
TEAMS = ["销售", "技术", "财务", "客服"]
STATES = ["取消了", "到了", "寄出了", "退回了", "损坏了"]
PARCELS = ["封信", "张票", "件货"]
PERIODS = ["天", "小时", "分钟"]
CHORES = ["处理", "修改", "取消"]
WEEK = "一二三四五六"

Template = Callable[[Random], str]


def digits(random: Random, low: int, high: int) -> str:
    """A digit string, one character each."""
    return "".join(random.choice(DIGITS) for _ in range(random.randint(low, high)))


def cardinal(number: int) -> str:
    """A cardinal from 1 to 9999 in characters."""
    if number < 20:
        return DIGITS[number] if number < 10 else "十" + (DIGITS[number % 10] if number % 10 else "")
    text, gap = "", False
    for value, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, value)
        if digit:
            text += ("零" if gap else "") + DIGITS[digit] + unit
        gap = digit == 0 and bool(text)
    return text


def up_to(random: Random, top: int) -> str:
    """A cardinal from 1 to `top`."""
    return cardinal(random.randint(1, top))


def amount(random: Random) -> str:
    """A sum of money."""
    whole = cardinal(random.randrange(1, random.choice((20, 100, 1000, 10000)))) + "元"
    return whole + (f"{DIGITS[random.randrange(1, 10)]}角" if random.random() < 0.25 else "")


def date(random: Random) -> str:
    """A day of a month."""
    return f"{cardinal(random.randint(1, 12))}月{cardinal(random.randint(1, 31))}日"


def weekday(random: Random) -> str:
    """A day of the week."""
    return f"星期{random.choice(WEEK)}"


def clock(random: Random) -> str:
    """A time of the day."""
    return (
        f"{random.choice(['上午', '下午', '晚上'])}{cardinal(random.randint(1, 12))}点"
        f"{random.choice(['半', '整', '十分', '二十分', '四十五分'])}"
    )


def person(random: Random) -> str:
    """A surname with a title."""
    return random.choice(SURNAMES) + random.choice(TITLES)


def thing(random: Random) -> str:
    """What a customer calls about."""
    return random.choice(THINGS)


TEMPLATES: tuple[tuple[float, Template], ...] = (
    (1, lambda r: f"您好这里是{r.choice(COMPANIES)}我是{person(r)}请问有什么可以帮您"),
    (1, lambda r: f"{r.choice(['早上', '下午', '晚上'])}好我姓{r.choice(SURNAMES)}想问一下{thing(r)}"),
    (3, lambda r: f"我的{r.choice(['账号', '订单号', '卡号', '客户号'])}是{digits(r, 4, 9)}"),
    (2, lambda r: f"请拨打{digits(r, 7, 11)}联系我"),
    (2, lambda r: f"不对号码是{digits(r, 3, 8)}"),
    (2, lambda r: f"验证码是{digits(r, 4, 6)}邮编是{digits(r, 6, 6)}"),
    (1, lambda r: f"我重复一遍{digits(r, 4, 8)}对吗"),
    (2, lambda r: f"一共是{amount(r)}"),
    (2, lambda r: f"我在{date(r)}付了{amount(r)}"),
    (1, lambda r: f"您的{thing(r)}金额是{amount(r)}请在{date(r)}之前支付"),
    (1, lambda r: f"{r.choice(GOODS)}可以给您百分之{up_to(r, 99)}的优惠"),
    (2, lambda r: f"您的预约时间是{date(r)}{clock(r)}"),
    (1, lambda r: f"可以把预约改到{weekday(r)}{clock(r)}吗"),
    (1, lambda r: f"我是{person(r)}我想问一下我的{thing(r)}"),
    (1, lambda r: f"{r.choice(THINGS + GOODS)}在{weekday(r)}{r.choice(STATES)}"),
    (1, lambda r: f"{person(r)}请稍等我帮您查询一下{thing(r)}"),
    (1, lambda r: f"请您再说一遍{r.choice(FACTS)}和{r.choice(FACTS)}好吗"),
    (1, lambda r: f"对的没有问题谢谢{person(r)}"),
    (1, lambda r: f"我{date(r)}买的{r.choice(GOODS)}还没有收到"),
    (1, lambda r: f"我们会在{weekday(r)}之前寄出{up_to(r, 99)}{r.choice(PARCELS)}到{r.choice(CITIES)}"),
    (1, lambda r: f"价格在{up_to(r, 12)}月上涨了百分之{up_to(r, 99)}"),
    (1, lambda r: f"还有其他可以帮您的吗{person(r)}"),
    (1, lambda r: f"再见{person(r)}祝您{r.choice(['周末愉快', '工作顺利', '生活愉快'])}"),
    (1, lambda r: f"我想{r.choice(['取消', '修改', '查询', '续签'])}{date(r)}的{thing(r)}"),
    (1, lambda r: f"我帮您转到{r.choice(CITIES)}的{r.choice(TEAMS)}部门"),
    (1, lambda r: f"我的地址是{r.choice(CITIES)}市人民路{up_to(r, 400)}号"),
    (1, lambda r: f"{r.choice(GOODS)}不能用了我要{r.choice(['退款', '换一个新的', '投诉'])}"),
    (1, lambda r: f"{thing(r)}需要{cardinal(r.randint(2, 60))}{r.choice(PERIODS)}才能{r.choice(CHORES)}"),
    (1, lambda r: f"我已经等了{cardinal(r.randint(2, 60))}{r.choice(PERIODS)}了"),
    (1, lambda r: f"很抱歉{person(r)}我马上查询{thing(r)}"),
    (1, lambda r: f"去{r.choice(CITIES)}的航班{weekday(r)}{clock(r)}出发"),
)
