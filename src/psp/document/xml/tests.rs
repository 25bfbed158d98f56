//! Tests of the XML reader: what is read and what is refused.

use serde_json::json;

use super::*;

#[test]
fn elements_attributes_and_lists() {
    let xml = r#"<?xml version="1.0"?><!DOCTYPE n PUBLIC "-//X//EN" "http://nowhere.example/x.dtd">
        <n v="1"><id> 7 </id><at type="datetime">2026</at><none nil="true"/><x>a</x><x>b</x><e/></n>"#;
    let expected = json!({"n": {
        "@v": "1", "id": "7", "at": {"@type": "datetime", "#text": "2026"}, "none": null, "x": ["a", "b"], "e": "",
    }});
    assert_eq!(read(xml), Ok(expected));
}

#[test]
fn text_is_what_remains_without_markup() {
    for (xml, expected) in [
        ("<a>1 &lt; 2 &amp;&amp; 3 &gt; 2 &quot;&apos;</a>", json!({"a": "1 < 2 && 3 > 2 \"'"})),
        ("<a>&#228;&#xE4;ä</a>", json!({"a": "äää"})),
        ("<a> x<!-- no --> <?no?>y<![CDATA[<&z>]]> </a>", json!({"a": "x y<&z>"})),
        ("<a>\r\n1\r2\r\n</a>", json!({"a": "1\n2"})),
        ("<a b='&lt;\t1\n2 &quot;'/>", json!({"a": {"@b": "< 1 2 \""}})),
        ("<a>1<b/>2<b/>3</a>", json!({"a": {"b": ["", ""], "#text": "123"}})),
        ("<a nil='true'><b/>text</a>", json!({"a": null})),
        ("<a nil='false'/>", json!({"a": {"@nil": "false"}})),
        ("\u{FEFF}<a/>", json!({"a": ""})),
        ("<!-- before --><a/><!-- after --><?after?>\n", json!({"a": ""})),
    ] {
        assert_eq!(read(xml), Ok(expected), "{xml}");
    }
}

#[test]
fn namespaces_do_not_count() {
    let xml = "<s:a xmlns:s='urn:s' xmlns='urn:n' xmlns:t='urn:t' s:x='1' t:y='2' xml:lang='en'><b/><s:b/>\
               <c xmlns='' xsi:nil='true' xmlns:xsi='urn:i'/></s:a>";
    let expected = json!({"a": {"@x": "1", "@y": "2", "@lang": "en", "b": ["", ""], "c": {"@nil": "true"}}});
    assert_eq!(read(xml), Ok(expected));
}

#[test]
fn what_is_not_well_formed_is_not_read() {
    for xml in [
        "",
        " ",
        "text",
        "<a>",
        "</a>",
        "<a><b></a></b>",
        "<a></b>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "<a/>&amp;",
        "<a/><![CDATA[x]]>",
        "<a",
        "<a b/>",
        "<a b=1/>",
        "<a b='<'/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a:b:c xmlns:a='u'/>",
        "<1/>",
        "<a>&</a>",
        "<a>&unknown;</a>",
        "<a b='&unknown;'/>",
        "<a>&#0;</a>",
        "<a>&#x1F;</a>",
        "<a b='&#x1F;'/>",
        "<a>\u{1}</a>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        " <?xml version='1.0'?><a/>",
        "<a><?xml version='1.0'?></a>",
        "<a/><!DOCTYPE a>",
        "<!DOCTYPE a><!DOCTYPE a><a/>",
    ] {
        assert!(matches!(read(xml), Err(XmlError::IllFormed { .. })), "{xml}: {:?}", read(xml));
    }
}

#[test]
fn a_document_that_declares_something_is_refused() {
    let laughs: String = (1..30).map(|n| format!("<!ENTITY a{n} \"&a{};&a{};\">", n - 1, n - 1)).collect();
    for xml in [
        format!("<!DOCTYPE x [<!ENTITY a0 \"ha\">{laughs}]><x>&a29;</x>"),
        format!("<!DOCTYPE x [<!ENTITY a \"{}\">]><x>{}</x>", "y".repeat(60_000), "&a;".repeat(60_000)),
        "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><x>&f;</x>".to_owned(),
        "<!DOCTYPE x SYSTEM 'x.dtd' []><x/>".to_owned(),
        "<!DOCTYPE x [<!ATTLIST x a CDATA 'b'>]><x/>".to_owned(),
    ] {
        assert_eq!(read(&xml), Err(XmlError::Declarations));
    }
}

#[test]
fn where_it_is_not_well_formed_is_said() {
    for (xml, place) in
        [("<a>\n ä<b></a>", "2:6"), ("<a>\n</a>\n<b/>", "3:5"), ("<a>ä\u{1}</a>", "1:5"), ("<a>", "1:4")]
    {
        assert_eq!(read(xml).unwrap_err().to_string(), format!("not well-formed at {place}"), "{xml}");
    }
}

/// `count` numbered parts in a row.
fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

#[test]
fn what_could_be_large_or_slow_has_a_bound() {
    let attributes = |count| format!("<a{}/>", many(count, |n| format!(" b{n}=''")));
    let namespaces = |count| format!("<a{}/>", many(count, |n| format!(" xmlns:b{n}='u'")));
    let nested = |depth, own: fn(usize) -> String| {
        format!("{}{}", many(depth, |n| format!("<a{}>", own(n))), "</a>".repeat(depth))
    };
    let own_namespace = |n| format!(" xmlns:b{n}='u'");
    let siblings = |count| format!("<r>{}</r>", "<a/>".repeat(count));
    let wide = |elements| format!("<r>{}</r>", format!("<a{}/>", many(50, |n| format!(" b{n}=''"))).repeat(elements));
    let too_many = |what, most| XmlError::TooMany { what, most };
    let of_one_element = too_many("attributes of one element", ATTRIBUTES_MAX);
    let too_many_namespaces = too_many("namespaces in one place", NAMESPACES_MAX);
    for (good, bad, wrong) in [
        (attributes(64), attributes(65), of_one_element),
        (attributes(64), attributes(90_000), of_one_element),
        (namespaces(64), namespaces(40_000), of_one_element),
        (nested(65, |_| String::new()), nested(66, |_| String::new()), XmlError::TooDeep),
        (nested(64, own_namespace), nested(20_000, own_namespace), too_many_namespaces),
        (
            nested(32, |n| format!(" xmlns:b{n}='u' xmlns:c{n}='u'")),
            nested(33, |n| format!(" xmlns:b{n}='u' xmlns:c{n}='u'")),
            too_many_namespaces,
        ),
        (siblings(19_999), siblings(20_000), too_many("elements", ELEMENTS_MAX)),
        (wide(400), wide(401), too_many("attributes", ALL_ATTRIBUTES_MAX)),
    ] {
        assert!(read(&good).is_ok(), "{wrong}");
        assert_eq!(read(&bad), Err(wrong));
    }
}

#[test]
fn names_and_texts_have_a_bound() {
    let too_long = |what, most| Err(XmlError::TooLong { what, most });
    let long = |most: usize| ["x".repeat(most), "x".repeat(most + 1)];
    let [name, longer] = long(NAME_MAX);
    assert!(read(&format!("<{name} {name}=''/>")).is_ok());
    assert_eq!(read(&format!("<{longer}/>")), too_long("a name", NAME_MAX));
    assert_eq!(read(&format!("<a {longer}=''/>")), too_long("a name", NAME_MAX));
    assert!(read(&format!("<a xmlns='{name}'/>")).is_ok());
    assert_eq!(read(&format!("<a xmlns='{longer}'/>")), too_long("the name of a namespace", NAME_MAX));
    let [text, longer] = long(TEXT_MAX);
    assert!(read(&format!("<a b='{text}'>{text}</a>")).is_ok());
    assert_eq!(read(&format!("<a>{text}<b/>x</a>")), too_long("a text", TEXT_MAX));
    assert_eq!(read(&format!("<a>{text}&amp;</a>")), too_long("a text", TEXT_MAX));
    assert_eq!(read(&format!("<a b='{longer}'/>")), too_long("the value of an attribute", TEXT_MAX));
}

#[test]
fn a_message_has_nothing_of_the_document() {
    for xml in
        ["<a>4111111111111111</b>", "<a>&payer;</a>", "<payer", "<a b='payer' b=''/>", "<!DOCTYPE x [payer]><x/>"]
    {
        let text = read(xml).unwrap_err().to_string();
        assert!(!text.contains("payer") && !text.contains("4111"), "{text}");
    }
}
