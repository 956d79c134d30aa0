"""What speech recognisers are known to write when they fail, by kind; and texts that only look like it."""

LOOPS = {
    "phrase": "so I think we should go ahead and " * 12,
    "short word": "okay " * 40,
    "with punctuation": "Thank you. Thank you! Thank you, thank you; Thank you. Thank you... Thank you. Thank you.",
    "phrases in turn": "thanks for watching. please subscribe. " * 6,
    "varied": " ".join(f"in the {n} year of the war the army of the north was defeated." for n in "abcabcbcaacb"),
    "Chinese phrase": "我们今天开会的时候" * 8,
    "Chinese character": "的" * 60,
    "Chinese word": "谢谢大家" * 10,
    "Chinese with punctuation": "请不吝点赞，订阅，转发。" * 5,
    "after a good start": "早上好，请问您需要什么帮助" + "嗯，好的，" * 20,
    "Cantonese": "係咁樣㗎喇" * 9,
    "Japanese": "ご視聴ありがとうございました。" * 6,
    "Korean": "시청해 주셔서 감사합니다. " * 6,
    "Thai": "ขอบคุณที่รับชม" * 6,
    "Hindi": "धन्यवाद " * 12,
    "Arabic": "اشتركوا في القناة " * 7,
    "exclamation of half precision": "!" * 200,
    "digits": "1234567890" * 5,
    "cut in the middle": ("the number you have dialled is not in service " * 9)[:-13],
}

SPOKEN = {
    "insisting": "no no no no, that is not what I said",
    "digits": "my number is zero zero zero zero five five one two",
    "long digits": "八八八八六六六六零零零零一一一一",
    "counting": "one two three four five six seven eight nine ten eleven twelve one two three four five six",
    "laughter": "哈哈哈哈哈哈哈哈哈哈，太好笑了",
    "agreement": "对对对对对，没错没错",
    "counting stock": "twenty five dollars, twenty five dollars and twenty five dollars is seventy five dollars",
    "a rhyme": "row row row your boat gently down the stream merrily merrily merrily merrily life is but a dream",
    "reading a list": "item one is paid, item two is paid, item three is open, item four is paid",
    "nothing": "",
    "one letter": "a",
}
