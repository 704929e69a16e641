import Testing
import XMLBodies

@Suite("XML reader")
struct XMLReaderTests {
    static func events(_ text: String, limits: XMLLimits = .standard) throws -> [XMLEvent] {
        var reader = try XMLReader(Array(text.utf8), limits: limits)
        var events: [XMLEvent] = []
        while let event = try reader.next() { events.append(event) }
        return events
    }

    @Test("elements, attributes and text come in order with their namespaces")
    func order() throws {
        let text = """
            <?xml version='1.0' encoding="utf-8"?><!-- c --><?pi x?>
            <a xmlns="urn:a" xmlns:b='urn:b' x="1" b:y="2"><b:c/>t&amp;&#x41;<![CDATA[<&]]></a><!-- end -->
            """
        let a = XMLName("a", in: "urn:a")
        let c = XMLName("c", in: "urn:b")
        #expect(
            try Self.events(text) == [
                .start(a, [XMLAttribute(XMLName("x"), "1"), XMLAttribute(XMLName("y", in: "urn:b"), "2")]),
                .start(c, []), .end(c), .text("t&A"), .text("<&"), .end(a),
            ]
        )
    }

    @Test("the default namespace is that of the innermost declaration and can be taken away")
    func defaultNamespace() throws {
        let root = try BodyElement(parsing: Array(#"<a xmlns="urn:a"><b xmlns=""><c/></b><d/></a>"#.utf8))
        #expect(root.elements.map(\.name) == [XMLName("b"), XMLName("d", in: "urn:a")])
        #expect(root.elements[0].elements[0].name == XMLName("c"))
    }

    @Test("line ends and white space in values are normalised")
    func normalisation() throws {
        let root = try BodyElement(parsing: Array("<a b='1\r\n2\t3&#10;4'>x\r\ny\rz<![CDATA[\r\n\r]]></a>".utf8))
        #expect(root.attribute("b") == "1 2 3\n4")
        #expect(root.text == "x\ny\nz\n\n")
    }

    @Test(
        "what is not well-formed is refused with its code",
        arguments: [
            ("", XMLError.Code.unexpectedEnd), ("  ", .unexpectedEnd), ("x", .malformed), ("<a", .unexpectedEnd),
            ("<a>", .unexpectedEnd), ("<a></b>", .mismatchedTag), ("</a>", .mismatchedTag),
            ("<a/><b/>", .trailingContent),
            ("<a/>x", .trailingContent), ("<a b='1' b='2'/>", .duplicateAttribute),
            ("<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>", .duplicateAttribute), ("<a b='<'/>", .malformed),
            ("<a b=1/>", .malformed), ("<a b='1'c='2'/>", .malformed), ("<a b/>", .malformed), ("<1/>", .malformed),
            ("<p:a/>", .undeclaredPrefix), ("<a p:b=''/>", .undeclaredPrefix), ("<a:b:c/>", .malformed),
            ("<:a/>", .malformed),
            ("<a>]]></a>", .malformed), ("<a>&b;</a>", .undefinedEntity), ("<a>&</a>", .malformed),
            ("<a>&;</a>", .malformed),
            ("<a>&#0;</a>", .invalidCharacterReference), ("<a>&#xD800;</a>", .invalidCharacterReference),
            ("<a>&#+65;</a>", .invalidCharacterReference), ("<a>&#x;</a>", .invalidCharacterReference),
            ("<a>\u{1}</a>", .invalidCharacter), ("<a>\u{FFFE}</a>", .invalidCharacter),
            ("<!DOCTYPE a><a/>", .doctypeForbidden),
            ("<!ELEMENT a><a/>", .malformed), ("<a><!DOCTYPE a></a>", .doctypeForbidden),
            ("<a><!-- -- --></a>", .malformed),
            ("<a><!-- ", .unexpectedEnd), ("<a><![CDATA[", .unexpectedEnd), ("<![CDATA[x]]><a/>", .malformed),
            ("<a><?xml version='1.0'?></a>", .malformed), ("<?xml encoding='utf-8'?><a/>", .malformed),
            ("<?xml version='1.0' encoding='latin1'?><a/>", .unsupportedEncoding),
            ("<?xml version='2.0'?><a/>", .malformed),
            ("<?xml version='1.x'?><a/>", .malformed), ("<?xml version='1.0' standalone='maybe'?><a/>", .malformed),
            ("<?xml version='1.0' standalone='no' encoding='utf-8'?><a/>", .malformed), ("<?xml ?><a/>", .malformed),
            ("<?xml version='1.0' version='1.0'?><a/>", .malformed), ("<?a:b?><a/>", .malformed),
            ("<a xmlns:xmlns='u'/>", .invalidNamespace), ("<a xmlns:xml='u'/>", .invalidNamespace),
            ("<a xmlns:b=''/>", .invalidNamespace), ("<xmlns:a/>", .invalidNamespace),
        ]
    )
    func refused(_ text: String, _ code: XMLError.Code) {
        #expect(throws: XMLError(code, "")) { try Self.events(text) }
    }

    @Test(
        "octets that are not UTF-8 are refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC3]]
    )
    func notUTF8(_ octets: [UInt8]) {
        #expect(throws: XMLError(.invalidEncoding, "")) {
            try XMLReader(Array("<a>".utf8) + octets + Array("</a>".utf8))
        }
    }

    @Test("every limit has its own error")
    func limits() {
        var limits = XMLLimits()
        limits.maximumBytes = 200
        limits.maximumDepth = 3
        limits.maximumElements = 5
        limits.maximumAttributes = 2
        limits.maximumNamespaces = 2
        limits.maximumNameBytes = 8
        let cases: [(String, XMLError.Code)] = [
            ("<a>" + String(repeating: "x", count: 200) + "</a>", .documentTooLarge),
            ("<a><b><c><d/></c></b></a>", .tooDeep), ("<a><b/><b/><b/><b/><b/></a>", .tooManyElements),
            ("<a b='' c='' d=''/>", .tooManyAttributes),
            ("<a xmlns:b='1' xmlns:c='2'><d xmlns:e='3'/></a>", .tooManyNamespaces),
            ("<abcdefghi/>", .nameTooLong),
        ]
        for (text, code) in cases {
            #expect(throws: XMLError(code, "")) { try Self.events(text, limits: limits) }
        }
        #expect(throws: Never.self) { try Self.events("<a><b><c/></b></a>", limits: limits) }
    }

    @Test("a byte order mark is passed over")
    func byteOrderMark() throws {
        #expect(try BodyElement(parsing: [0xEF, 0xBB, 0xBF] + Array("<a/>".utf8)).name == XMLName("a"))
    }

    @Test("an error tells its octet")
    func offset() throws {
        let error = #expect(throws: XMLError.self) { try Self.events("<a><b></a>") }
        #expect(error?.offset == 6)
        #expect(error?.description == "xml-mismatched-tag at octet 6: the end tag of b")
    }
}
