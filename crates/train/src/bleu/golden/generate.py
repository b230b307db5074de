"""Writes bleu.json: scores by sacreBLEU for sentences of our own, to check the Rust implementation against.

    python3 -m venv venv && venv/bin/pip install sacrebleu==2.6.0
    venv/bin/python generate.py > bleu.json
"""

import json

import sacrebleu
from sacrebleu.metrics import BLEU

ENGLISH = [
    ("The dog sleeps in the garden.", "The dog is sleeping in the garden."),
    ("Two men carry a ladder.", "Two men are carrying a long ladder."),
    ("A woman with a red hat reads.", "A woman in a red hat is reading a book."),
    ("The children play football on the beach.", "The children play football on the beach."),
    ("He bought 3 apples for $1,000.50!", "He bought three apples for $1,000.50."),
    ("It costs 12.5% more than in 2019-2020.", "It costs 12.5 % more than in 2019 - 2020."),
]
GERMAN = [
    ("Der alte Mann kauft am Montag ein Brot.", "Der alte Mann kauft montags ein Brot."),
    ("Das Mädchen trägt einen roten Mantel.", "Das kleine Mädchen trägt den roten Mantel."),
    ("„Ich komme um 8:30 Uhr“, sagte er.", "„Ich komme um halb neun“, sagte er."),
    ("Weil es regnet, bleibt die Familie zu Hause.", "Die Familie bleibt zu Hause, weil es regnet."),
    ("Das E-Mail-Programm der Straßenbahn-AG", "Das Mailprogramm der Straßenbahn-AG"),
    ("Sie kostet 1.234,50 Euro (netto).", "Sie kostet 1.234,50 EUR (netto)."),
]
CHINESE = [
    ("老人星期一买了一个面包。", "老人在星期一买了一个面包。"),
    ("小女孩穿着红色的大衣。", "小女孩穿着一件红色的大衣。"),
    ("他说：“我八点半到。”", "他说：“我八点半就到。”"),
    ("这本书卖12.50欧元（不含邮费）。", "这本书的价格是12.50欧元（不含邮费）。"),
    ("iPhone手机在桌子上……", "苹果iPhone手机在桌子上…"),
    ("我们明天坐火车去科隆—真的！", "我们明天乘火车去科隆——真的！"),
]
# Pairs that exercise one rule of a tokenizer each.
RULES = [
    ("&quot;Tom &amp; Anna&quot; &lt;live&gt;", '"Tom & Anna" <live>'),
    ("&amp;quot; stays &amp;lt; half escaped", '&quot; stays < half escaped'),
    ("<skipped>a b c d e", "a b c d e"),
    ("a.b,c 1.5,2 .5 5. ,x x, 1,a a,1 ..", "a . b , c 1.5,2 . 5 5 . , x x , 1 , a a , 1 . ."),
    ("3-4 a-b 5- -6 2019-", "3 - 4 a-b 5 - -6 2019 -"),
    ("[a] {b} (c) <d> e/f g\\h i|j k~l m^n o_p q`r", "[ a ] { b } ( c ) < d > e / f g \\ h i | j k ~ l m ^ n o _ p q ` r"),
    ("don't isn't 'quoted' \"double\" it's", "don't isn't ' quoted ' \" double \" it's"),
    ("mail@example.org costs #5 $3 50% a+b=c; d:e *f* !?", "mail @ example . org costs # 5 $ 3 50 % a + b = c ; d : e * f * ! ?"),
    ("ein\u00a0Haus\u2003mit\u3000Garten und Tür", "ein Haus mit Garten und Tür"),
    ("tabs\tand  double   spaces here", "tabs and double spaces here"),
    ("odd\u001cseparators\u001fhere now yes", "odd separators here now yes"),
    ("zero\u200bwidth and \ufeffmark here too", "zero width and mark here too"),
    ("１２３ＡＢＣ，全角。 half width ok", "123ABC,全角。 half width ok"),
    ("𠀀𠀁字 extension B 字", "𠀀 𠀁 字 extension B 字"),
    ("“curly” ‘quotes’ – dash — long … €5 → x", "“ curly ” ‘ quotes ’ – dash — long … € 5 → x"),
    ("カタカナ ひらがな 한국어 ไทย text", "カタカナ ひらがな 한국어 ไทย text"),
    ("⼈⼤ ㈱ ☂ ✂ ﹏ ⺀", "⼈ ⼤ ㈱ ☂ ✂ ﹏ ⺀"),
    ("e\u0301te\u0301 im Cafe\u0301 am See", "été im Café am See"),
    ("😀 smile 👍🏽 thumbs up there", "😀 smile 👍 thumbs up there"),
    ("trailing spaces are cut here   ", "   leading and trailing spaces are cut here"),
    ("-\n joined - \n line two of it", "joined -  line two of it"),
]


def corpus(pairs):
    return [h for h, _ in pairs], [r for _, r in pairs]


def cases():
    tokenizers = ["13a", "zh", "none", "char"]
    for name, pairs in [("english", ENGLISH), ("german", GERMAN), ("chinese", CHINESE), ("rules", RULES)]:
        for tok in tokenizers:
            yield f"{name}", corpus(pairs), tok, "exp", None, False
    for pairs in [ENGLISH, GERMAN]:
        for smooth, value in [("none", None), ("floor", None), ("floor", 0.01)]:
            yield "smoothing", corpus(pairs), "13a", smooth, value, False
    for i, (h, r) in enumerate(RULES):
        for tok in ["13a", "zh"]:
            yield f"rule {i}", ([h], [r]), tok, "exp", None, False
    special = [
        ("perfect", ["The cat sat on the mat."], ["The cat sat on the mat."]),
        ("perfect twice", ["one two three four five", "six seven eight nine ten"],
         ["one two three four five", "six seven eight nine ten"]),
        ("no match", ["alpha beta gamma delta"], ["one two three four"]),
        ("empty hypothesis", [""], ["something was said here"]),
        ("one empty of two", ["", "the big red dog runs fast"], ["hello there my friend", "the big red dog ran fast"]),
        ("empty reference", ["the big red dog runs"], [""]),
        ("both empty", [""], [""]),
        ("one word right", ["dog"], ["dog"]),
        ("one word of many", ["dog"], ["the dog runs home"]),
        ("three words", ["the dog runs"], ["the dog runs"]),
        ("too long", ["the dog the dog the dog the dog the dog"], ["the dog runs"]),
        ("clipped", ["the the the the the the the"], ["the cat is on the mat"]),
        ("no four-gram", ["the dog runs in a park today"], ["the dog ran in the park today"]),
        ("rounding", ["a b c d e f g h"], ["a b c d x f g h"]),
    ]
    for name, hyps, refs in special:
        for smooth, value in [("exp", None), ("floor", None), ("none", None)]:
            yield name, (hyps, refs), "13a", smooth, value, False
        yield name, (hyps, refs), "13a", "exp", None, True
    for h, r in ENGLISH + GERMAN:
        yield "sentence", ([h], [r]), "13a", "exp", None, True
    for h, r in CHINESE:
        yield "sentence", ([h], [r]), "zh", "exp", None, True


def main():
    out = []
    for name, (hyps, refs), tok, smooth, value, effective in cases():
        metric = BLEU(tokenize=tok, smooth_method=smooth, smooth_value=value, effective_order=effective)
        if effective:
            score = metric.sentence_score(hyps[0], [refs[0]])
            hyps, refs = hyps[:1], refs[:1]
        else:
            score = metric.corpus_score(hyps, [refs])
        signature = str(metric.get_signature())
        out.append({
            "name": name,
            "hyps": hyps,
            "refs": refs,
            "tok": tok,
            "smooth": smooth,
            "smooth_value": value,
            "sentence": effective,
            "tokens": [metric._preprocess_segment(line).split() for line in hyps + refs],
            "score": score.score,
            "precisions": score.precisions,
            "bp": score.bp,
            "sys_len": score.sys_len,
            "ref_len": score.ref_len,
            "signature": signature,
            "line": score.format(signature=signature),
        })
    print('{"sacrebleu": "%s", "cases": [' % sacrebleu.__version__)
    print(",\n".join(json.dumps(case, ensure_ascii=True) for case in out))
    print("]}")


if __name__ == "__main__":
    main()
