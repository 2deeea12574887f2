#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::catalog;

fn page(title: &str, text: &str) -> Page {
    Page { text: text.to_owned(), title: title.to_owned(), language: None }
}

fn local(title: &str, text: &str) -> Answer {
    enrich(&page(title, text), &KnownTags::default())
}

const ENGLISH: &str = "Write-ahead logging keeps a database safe. Before a database changes a page on disk, it writes the change to \
    the write-ahead log. After a crash the database reads the log and repeats the changes that the pages have lost. \
    The log is written in order, which disks are fast at. That is why logging costs less than writing the pages at once. \
    Some people have a cat. Checkpoints bound the part of the log that recovery has to read.";
const GERMAN: &str = "Die Wärmepumpe heizt das Haus mit der Wärme der Umgebung. Eine Wärmepumpe braucht Strom, aber weniger als sie an \
    Wärme liefert. Im Winter sinkt die Leistung der Wärmepumpe, weil die Luft kalt ist. Der Kältemittelkreis \
    verdichtet das Kältemittel und gibt die Wärme an die Heizung ab. Gute Dämmung macht die Wärmepumpe sparsam.";
const FRENCH: &str = "Le pain au levain demande du temps et de la patience. Le levain est un mélange de farine et d'eau qui fermente. \
    La farine complète nourrit le levain mieux que la farine blanche. Le boulanger pétrit la pâte, puis la pâte \
    repose une nuit au froid. La cuisson du pain se fait dans un four très chaud.";
const SPANISH: &str = "La bicicleta es el medio de transporte más eficiente en la ciudad. Una ciudad con carriles para bicicleta tiene menos \
    tráfico. Los carriles protegidos hacen que más personas usen la bicicleta cada día. El tráfico de coches baja cuando \
    la ciudad ofrece carriles seguros.";
const RUSSIAN: &str = "Байкал является самым глубоким озером на Земле. Озеро Байкал хранит пятую часть пресной воды планеты. Вода озера \
    прозрачна, потому что в ней живут маленькие рачки. Зимой озеро покрывает толстый лёд, по которому ездят машины.";
const CHINESE: &str = "数据库是存储数据的系统。关系数据库用表格存储数据。许多公司使用关系数据库来管理订单。数据库的索引让查询更快。没有索引的查询需要读取全部数据。";
const JAPANESE: &str = "データベースはデータを保存する仕組みです。データベースを使うと検索が速くなります。多くの会社が顧客情報をデータベースで管理しています。";
const THAI: &str = "กาแฟเป็นเครื่องดื่มที่คนไทยชอบมาก กาแฟดีต้องมาจากเมล็ดกาแฟที่สดใหม่ ร้านกาแฟในกรุงเทพมีมากกว่าพันร้าน";

#[test]
fn keywords_and_sentences_in_many_languages() {
    for (text, language, tag, summary) in [
        (ENGLISH, "en", "database", "database"),
        (GERMAN, "de", "wärmepumpe", "Wärmepumpe"),
        (FRENCH, "fr", "levain", "levain"),
        (SPANISH, "es", "bicicleta", "bicicleta"),
        (RUSSIAN, "ru", "байкал", "Байкал"),
        (CHINESE, "zh", "数据库", "数据库"),
        (JAPANESE, "ja", "データベース", "データベース"),
        (THAI, "th", "กาแฟ", "กาแฟ"),
    ] {
        assert_eq!(super::language(&page("", text)).as_deref(), Some(language));
        let answer = local("", text);
        assert!(answer.tags.iter().any(|found| found.contains(tag)), "{language}: {answer:?}");
        assert!(answer.summary.contains(summary) && answer.summary.len() <= text.len(), "{language}: {answer:?}");
        assert!(!answer.topic.is_empty());
        for sentence in answer.summary.split_inclusive(['.', '。']) {
            assert!(text.contains(sentence.trim()), "{language}: {sentence} is not of the text");
        }
        assert_eq!(answer, local("", text), "the same text, the same answer");
    }
    assert!(!local("", ENGLISH).summary.contains("cat"));
    // In another process as well, whose hash tables have another order.
    assert_eq!(local("", ENGLISH).tags, ["log", "database", "write-ahead", "pages", "logging"]);
    assert_eq!(local("", GERMAN).tags, ["wärmepumpe", "wärme", "umgebung", "haus", "strom"]);
}

#[test]
fn known_tags_are_used_where_the_text_has_them() {
    let values = [("Databases", 40), ("cooking", 90)].map(|(tag, links)| catalog::Value {
        tag: tag.to_owned(),
        label: String::new(),
        links,
        given: false,
    });
    let answer = enrich(&page("", ENGLISH), &KnownTags::new(values.iter()));
    assert!(answer.tags.contains(&"Databases".to_owned()), "{answer:?}");
    assert!(
        !answer.tags.contains(&"database".to_owned()) && !answer.tags.contains(&"cooking".to_owned()),
        "{answer:?}"
    );
}

#[test]
fn never_empty_for_a_text_that_has_words() {
    for text in [
        "word",
        "It is.",
        "a",
        "I",
        "2026",
        "1 2 3",
        "https://example.org/only/an/address",
        "<b>bold</b>",
        "日",
        "はい",
        "x y z",
        "the the the the",
        "ПРИВЕТ",
        "don't",
        "e\u{301}",
        "👍 ok",
        "a\nb\nc",
        "…word…",
        "word\u{0}word",
        "[a](https://b.example)",
        "Lopadotemachoselachogaleokranioleipsanodrimhypotrimmatosilphioparaomelitokatakechymenokichlepikossyphophattoperisteralektryon",
    ] {
        let answer = local("", text);
        assert!(
            !answer.tags.is_empty() && !answer.summary.is_empty() && !answer.topic.is_empty(),
            "{text:?}: {answer:?}"
        );
        assert!(!answer.summary.contains("://") && !answer.summary.contains('<'), "{answer:?}");
    }
}

#[test]
fn without_words_the_title_speaks_and_nothing_panics() {
    assert_eq!(local("A photograph", "…").summary, "A photograph");
    assert_eq!(local("", " \n … 👍 "), Answer { tags: vec![], summary: String::new(), topic: String::new() });
}

/// Each would take minutes if its time grew with the square of its length.
#[test]
fn long_and_strange_texts_come_to_an_end() {
    let words: Vec<String> = (0..9_000).map(|number| format!("w{number}")).collect();
    for (name, text) in [
        ("points", ".".repeat(400_000)),
        ("points apart", ". ".repeat(200_000)),
        ("one letter", "a".repeat(400_000)),
        ("letters", "a ".repeat(200_000)),
        ("sentences", "Aa. ".repeat(100_000)),
        ("initials", "A. B. ".repeat(60_000)),
        ("hyphens", "a-".repeat(200_000)),
        ("apostrophes", "a's ".repeat(100_000)),
        ("quotes", "\"a\" (b) ".repeat(40_000)),
        ("many words", words.join(" ")),
        ("lines", "a b c\n".repeat(60_000)),
        ("ideographs", "数据库索引".repeat(80_000)),
        ("joined", "👨\u{200d}".repeat(50_000)),
        ("accents", "e\u{301}".repeat(100_000)),
        ("only accents", "\u{301}".repeat(200_000)),
        ("tags", "<b".repeat(200_000)),
        ("nested tags", format!("{}{}", "<b".repeat(50_000), ">".repeat(50_000))),
        ("links", "[a](b ".repeat(60_000)),
        ("open links", "](".repeat(200_000)),
        ("numbers", "1.1.1. 2,2 ".repeat(40_000)),
    ] {
        let answer = local(name, &text);
        assert!(answer.summary.len() < 2_000 && answer.tags.len() <= tags::MOST, "{name}: {answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_text_gives_an_answer_and_the_same_one_again(
        title in r"\PC{0,20}",
        text in r"(\PC|[a-zA-Z]{1,8} |[.!?\n]|Dr\. |the |don't |x-y |データ|索引|<b>|https://a\.b ){0,150}",
    ) {
        let answer = local(&title, &text);
        prop_assert_eq!(&answer, &local(&title, &text));
        prop_assert!(answer.tags.len() <= tags::MOST);
        if text.unicode_words().next().is_some() {
            prop_assert!(!answer.tags.is_empty() && !answer.summary.is_empty() && !answer.topic.is_empty(), "{answer:?}");
        }
    }
}
