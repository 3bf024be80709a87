"""The words of small talk: what people say to a voice without asking it anything.

Phrases by kind, in the languages of `lines.py`, with commas between them; `query.py` drops accents and
apostrophes on both sides. A phrase counts only where phrases cover every word that was said, so a word
belongs here only if it asks nothing together with any other word of this list. Question words are here as
parts of whole phrases alone: "how?" is a question.
"""
# ruff: noqa: RUF001  # Turkish letters look like Latin ones, and are meant

GREETING = {
    "en": "hello, hi, hey, hiya, howdy, greetings, good morning, good afternoon, good evening, "
    "good day, nice to meet you, pleased to meet you, are you there, anybody there, hello there, "
    "hi there, hey there",
    "de": "hallo, hallöchen, guten morgen, guten tag, guten abend, grüß gott, grüß dich, grüezi, "
    "servus, moin, moin moin, bist du da, sind sie da, freut mich, guten morgen zusammen",
    "es": "hola, buenos días, buen día, buenas tardes, buenas noches, buenas, mucho gusto, encantado, encantada",
    "fr": "bonjour, bonsoir, salut, coucou, enchanté, enchantée, allô",
    "it": "ciao, buongiorno, buon giorno, buonasera, buona sera, salve, piacere, pronto",
    "pt": "olá, oi, bom dia, boa tarde, boa noite, muito prazer, alô",
    "nl": "hallo, hoi, goedemorgen, goedemiddag, goedenavond, goedendag, goeiemorgen, dag, aangenaam",
    "pl": "cześć, dzień dobry, dobry wieczór, witam, witaj, hej, siema, miło mi",
    "sv": "hej, hejsan, hallå, tjena, god morgon, god dag, god kväll, god middag, trevligt att träffas",
    "tr": "merhaba, merhabalar, selam, günaydın, iyi günler, iyi akşamlar, iyi geceler, memnun oldum",
    "ja": "こんにちは, こんばんは, おはよう, おはようございます, はじめまして, もしもし, やあ",
    "zh": "你好, 您好, 早上好, 下午好, 晚上好, 早安, 嗨, 哈喽, 喂",
}
WELLBEING = {
    "en": "how are you, how are you doing, how are you today, how are you doing today, "
    "how is it going, hows it going, whats up, how do you do, i am fine, im fine, i am good, "
    "im good, and you, how about you",
    "de": "wie geht es dir, wie gehts dir, wie geht es ihnen, wie gehts ihnen, wie gehts, wie geht es, "
    "mir geht es gut, mir gehts gut, und dir, und ihnen, alles klar bei dir",
    "es": "cómo estás, cómo está, cómo está usted, qué tal, qué tal estás, cómo te va, muy bien, "
    "estoy bien, y tú, y usted",
    "fr": "ça va, comment ça va, comment allez vous, comment vas tu, ça va bien, je vais bien, et toi, et vous",
    "it": "come stai, come sta, come va, tutto bene, sto bene, e tu, e lei",
    "pt": "tudo bem, tudo bom, como vai, como está, como você está, estou bem, e você",
    "nl": "hoe gaat het, hoe gaat het met je, hoe gaat het met u, alles goed, met mij gaat het goed, en met jou",
    "pl": "jak się masz, co słychać, jak leci, u mnie dobrze, a u ciebie, a ty",
    "sv": "hur mår du, hur är det, hur är läget, läget, jag mår bra, och du",
    "tr": "nasılsın, nasılsınız, naber, ne haber, iyiyim, sen nasılsın, siz nasılsınız",
    "ja": "お元気ですか, 元気ですか, 元気です, 元気, 調子はどうですか",
    "zh": "你好吗, 您好吗, 最近怎么样, 我很好, 你呢, 您呢",
}
THANKS = {
    "en": "thanks, thank you, thank you very much, thank you so much, thanks a lot, many thanks, "
    "cheers, much appreciated, thats all, that is all, thats kind, thats very kind, "
    "you are welcome, bye, goodbye, bye bye, see you, see you later, see you soon, good night, "
    "have a nice day, have a good day, take care, great, perfect, wonderful, lovely, cool, nice, "
    "awesome, excellent, amazing, interesting, how interesting, wow",
    "de": "danke, danke schön, dankeschön, danke sehr, vielen dank, herzlichen dank, besten dank, "
    "danke dir, danke ihnen, bitte schön, tschüss, tschüs, auf wiedersehen, bis bald, "
    "bis später, gute nacht, schönen tag noch, schönen abend noch, super, toll, prima, perfekt, "
    "wunderbar, klasse, schön, das war alles, interessant",
    "es": "gracias, muchas gracias, mil gracias, adiós, hasta luego, hasta pronto, chao, genial, "
    "perfecto, estupendo, eso es todo, de nada, qué bien, qué interesante",
    "fr": "merci, merci beaucoup, merci bien, au revoir, à bientôt, bonne journée, bonne soirée, "
    "bonne nuit, super, parfait, génial, c est tout, de rien, intéressant",
    "it": "grazie, grazie mille, molte grazie, arrivederci, a presto, buonanotte, buona notte, "
    "buona giornata, perfetto, ottimo, benissimo, è tutto, prego, che bello, interessante",
    "pt": "obrigado, obrigada, muito obrigado, muito obrigada, tchau, adeus, até logo, até mais, "
    "ótimo, perfeito, é tudo, de nada, que bom, que interessante",
    "nl": "dank je, dank je wel, dankjewel, dank u, dank u wel, dankuwel, bedankt, hartelijk dank, "
    "doei, tot ziens, tot straks, fijne dag nog, welterusten, prima, perfect, mooi, leuk, "
    "dat was alles, graag gedaan",
    "pl": "dzięki, dziękuję, dziękuję bardzo, bardzo dziękuję, wielkie dzięki, do widzenia, na razie, "
    "pa, dobranoc, świetnie, super, wspaniale, to wszystko, nie ma za co",
    "sv": "tack, tack så mycket, tusen tack, tack ska du ha, hej då, vi ses, god natt, ha det bra, "
    "toppen, perfekt, underbart, det var allt, varsågod",
    "tr": "teşekkürler, teşekkür ederim, çok teşekkürler, çok teşekkür ederim, sağ ol, sağ olun, "
    "sağol, hoşça kal, hoşçakal, görüşürüz, güle güle, harika, süper, mükemmel, bu kadar, "
    "rica ederim",
    "ja": "ありがとう, ありがとうございます, ありがとうございました, どうもありがとう, "
    "どうもありがとうございます, どうも, さようなら, またね, じゃあね, おやすみ, おやすみなさい, "
    "すごい, すごいですね, いいですね, 素晴らしい, 面白い, 面白いですね",
    "zh": "谢谢, 谢谢你, 谢谢您, 多谢, 非常感谢, 感谢, 再见, 拜拜, 晚安, 太好了, 太棒了, 很好, 真棒, 没事了, 有意思",
}
ANSWER = {
    "en": "yes, yeah, yep, yup, no, nope, nah, ok, okay, sure, of course, alright, all right, right, "
    "fine, got it, i see, i understand, understood, exactly, absolutely, definitely, not really, "
    "maybe, no problem, never mind, yes please, no thanks, no thank you, sounds good, good, "
    "go on, go ahead, true, that is right, thats right, i dont know, sorry, im sorry, mhm, uh huh",
    "de": "ja, jawohl, jo, nein, nee, ne, doch, ok, okay, klar, na klar, alles klar, genau, natürlich, "
    "sicher, gut, sehr gut, in ordnung, verstehe, ich verstehe, verstanden, vielleicht, stimmt, "
    "das stimmt, kein problem, gerne, gern, ja bitte, nein danke, weiter, mach weiter, ach so, "
    "achso, entschuldigung, ich weiß nicht, schon gut",
    "es": "sí, no, vale, claro, claro que sí, por supuesto, de acuerdo, está bien, bien, bueno, "
    "entiendo, entendido, exacto, quizás, tal vez, sí por favor, no gracias, sigue, continúa, "
    "perdón, no sé, ya veo",
    "fr": "oui, ouais, non, si, ok, d accord, daccord, bien sûr, très bien, bien, entendu, "
    "je comprends, compris, exact, exactement, peut être, oui s il vous plaît, "
    "oui sil vous plaît, non merci, continuez, continue, pardon, je ne sais pas, je vois, ah bon",
    "it": "sì, no, va bene, certo, d accordo, daccordo, capisco, capito, ho capito, esatto, forse, "
    "sì grazie, no grazie, continua, continui, scusi, scusa, non lo so, bene, molto bene",
    "pt": "sim, não, claro, com certeza, está bem, tá, tá bom, entendo, entendi, exato, talvez, "
    "sim por favor, não obrigado, não obrigada, continue, desculpe, não sei, bem, muito bem",
    "nl": "ja, jawel, nee, neen, oké, oke, natuurlijk, zeker, goed, is goed, prima, begrepen, "
    "ik begrijp het, precies, misschien, klopt, ja graag, nee bedankt, nee dank je, ga door, "
    "ga verder, sorry, ik weet het niet",
    "pl": "tak, nie, no, jasne, oczywiście, dobrze, dobra, w porządku, rozumiem, dokładnie, może, "
    "być może, zgoda, tak proszę, nie dziękuję, mów dalej, przepraszam, nie wiem, aha",
    "sv": "ja, jo, nej, nä, japp, okej, visst, självklart, bra, jag förstår, precis, kanske, "
    "det stämmer, ja tack, nej tack, fortsätt, förlåt, ursäkta, jag vet inte, jaha",
    "tr": "evet, hayır, yok, tamam, tabii, tabii ki, elbette, peki, olur, anladım, anlıyorum, aynen, "
    "belki, evet lütfen, hayır teşekkürler, devam et, devam edin, pardon, bilmiyorum, iyi",
    "ja": "はい, ええ, うん, いいえ, いや, そうです, そうですね, そうですか, そうか, なるほど, "
    "わかりました, わかった, 分かりました, 分かった, もちろん, 大丈夫, 大丈夫です, 結構です, "
    "お願いします, はいお願いします, 続けて, 続けてください, すみません, ごめんなさい, たぶん, "
    "了解, 了解です, オーケー, ははは, あはは, はははは, ふふ, ふふふ",
    "zh": "是, 是的, 对, 对的, 不, 不是, 不对, 没有, 好, 好的, 好吧, 行, 可以, 当然, 没问题, 明白, "
    "明白了, 知道了, 我知道了, 我明白了, 也许, 可能吧, 不用了, 不用了谢谢, 请继续, 继续, 对不起, "
    "不好意思, 我不知道, 嗯, 哦",
}
REPEAT = {
    "en": "repeat that, repeat, say that again, say it again, repeat that again, can you repeat that, "
    "could you repeat that, can you say that again, could you say that again, can you repeat it, "
    "could you repeat it, what did you say, what was that, pardon, pardon me, excuse me, "
    "come again, i didnt hear you, i didnt hear that, i didnt catch that, i did not hear you, "
    "once more, one more time, again, slower, more slowly, speak slower, speak more slowly, "
    "can you speak slower, can you speak more slowly, could you speak more slowly, louder, "
    "speak up, wait, wait a moment, one moment, just a moment, stop",
    "de": "wiederhole das, wiederholen sie das, wiederholen, nochmal, noch mal, noch einmal, "
    "sag das nochmal, sag das noch mal, sag das noch einmal, sagen sie das noch einmal, "
    "kannst du das wiederholen, können sie das wiederholen, kannst du das nochmal sagen, "
    "können sie das noch einmal sagen, wie bitte, was hast du gesagt, was haben sie gesagt, "
    "ich habe dich nicht verstanden, ich habe sie nicht verstanden, "
    "ich habe das nicht verstanden, langsamer, lauter, sprich langsamer, sprechen sie langsamer, "
    "moment, einen moment, warte, stopp",
    "es": "repite, repítelo, repita, repítalo, otra vez, puedes repetirlo, puede repetirlo, "
    "puedes repetir, puede repetir, cómo dices, qué has dicho, qué dijiste, no te he oído, "
    "no te entendí, más despacio, más alto, habla más despacio, un momento, espera",
    "fr": "répète, répétez, encore une fois, tu peux répéter, vous pouvez répéter, "
    "pouvez vous répéter, peux tu répéter, pardon, qu est ce que vous avez dit, "
    "qu avez vous dit, je n ai pas compris, je n ai pas entendu, plus lentement, plus fort, "
    "parlez plus lentement, un moment, un instant, attendez, attends",
    "it": "ripeti, ripeta, ancora una volta, di nuovo, puoi ripetere, può ripetere, come scusi, "
    "cosa hai detto, che cosa ha detto, non ho sentito, non ho capito, più piano, "
    "più lentamente, più forte, un momento, un attimo, aspetta, aspetti",
    "pt": "repete, repita, outra vez, mais uma vez, de novo, pode repetir, você pode repetir, "
    "o que você disse, o que disse, não ouvi, não entendi, mais devagar, mais alto, "
    "fale mais devagar, um momento, espere, espera",
    "nl": "herhaal dat, nog een keer, nog eens, kun je dat herhalen, kunt u dat herhalen, "
    "zeg dat nog eens, wat zei je, wat zei u, wat zegt u, pardon, ik heb je niet verstaan, "
    "ik heb u niet verstaan, langzamer, harder, praat langzamer, moment, een moment, wacht",
    "pl": "powtórz, proszę powtórzyć, jeszcze raz, możesz powtórzyć, czy możesz powtórzyć, "
    "czy może pan powtórzyć, czy może pani powtórzyć, słucham, co powiedziałeś, co powiedziałaś, "
    "nie słyszałem, nie słyszałam, nie zrozumiałem, nie zrozumiałam, wolniej, głośniej, "
    "mów wolniej, chwileczkę, poczekaj",
    "sv": "upprepa, upprepa det, en gång till, igen, kan du upprepa det, kan du säga det igen, "
    "kan du säga det en gång till, vad sa du, jag hörde inte, jag förstod inte, långsammare, "
    "högre, prata långsammare, ett ögonblick, vänta",
    "tr": "tekrar et, tekrar eder misin, tekrar eder misiniz, tekrar edebilir misin, "
    "tekrar edebilir misiniz, bir daha, bir daha söyle, bir daha söyler misin, efendim, "
    "ne dedin, ne dediniz, duymadım, anlamadım, daha yavaş, yavaş konuş, bir dakika, bekle",
    "ja": "もう一度, もう一回, もう一度お願いします, もう一回お願いします, もう一度言って, "
    "もう一度言ってください, 繰り返して, 繰り返してください, え, なんですって, 聞こえません, "
    "聞こえませんでした, わかりません, もっとゆっくり, もっとゆっくり話してください, "
    "ちょっと待って, ちょっと待ってください, 待って",
    "zh": "再说一遍, 再说一次, 请再说一遍, 请再说一次, 你能再说一遍吗, 您能再说一遍吗, 能再说一遍吗, "
    "重复一遍, 请重复一遍, 你说什么, 您说什么, 我没听清, 没听清, 我没听懂, 慢一点, 说慢一点, "
    "请说慢一点, 大声一点, 等一下, 等等, 稍等",
}
FILLER = {
    "en": "um, ha, uh, er, erm, hmm, hm, mm, oh, ah, well, so, please, then, anyway, you know, like, again, very much",
    "de": "äh, ähm, hm, hmm, ach, oh, na, also, bitte, dann, mal, tja, naja",
    "es": "eh, em, este, pues, por favor, oh, ah, ay, entonces",
    "fr": "euh, hein, ben, bah, oh, ah, alors, s il vous plaît, sil vous plaît, s il te plaît, sil te plaît",
    "it": "ehm, eh, allora, per favore, beh, oh, ah",
    "pt": "hum, é, então, por favor, ah, oh, pois, né",
    "nl": "eh, uh, hm, nou, dus, alsjeblieft, alstublieft, oh, ach",
    "pl": "yyy, eee, hm, no to, proszę, oh, ach, więc",
    "sv": "öh, eh, hm, alltså, snälla, oj, åh, då",
    "tr": "ee, ııı, şey, lütfen, yani, ah, oh, hmm",
    "ja": "えっと, ええと, あの, あのう, うーん, ああ, あ, じゃあ, ください",
    "zh": "呃, 那个, 嗯嗯, 啊, 呀, 请, 吧, 那",
}
