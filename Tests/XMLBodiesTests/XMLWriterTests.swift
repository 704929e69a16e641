import Testing
import XMLBodies

@Suite("XML writer")
struct XMLWriterTests {
    @Test("markup and control characters are escaped so that the text comes back")
    func escapes() throws {
        var element = BodyElement(XMLName("a"), text: "<&>\"'\r\n\t]]>é🎧")
        element.attributes = [XMLAttribute(XMLName("b"), "<&>\"'\r\n\t")]
        let text = XMLWriter.document(element)
        #expect(text.contains("&lt;&amp;&gt;\"'&#13;\n\t]]&gt;é🎧"))
        #expect(try BodyElement(parsing: Array(text.utf8)) == element)
    }

    @Test("characters that XML cannot carry are replaced")
    func impossible() throws {
        let text = XMLWriter.document(BodyElement(XMLName("a"), text: "x\u{0}\u{1}y"))
        #expect(try BodyElement(parsing: Array(text.utf8)).text == "x\u{FFFD}\u{FFFD}y")
    }

    @Test("namespaces are declared once, with the prefixes wanted")
    func namespaces() throws {
        var root = BodyElement(XMLName("r", in: "urn:r"))
        var child = BodyElement(XMLName("c", in: "urn:c"))
        child.attributes = [XMLAttribute(XMLName("x", in: "urn:r"), "1"), XMLAttribute(XMLName("y", in: "urn:d"), "2")]
        child.children = [.element(BodyElement(XMLName("none"))), .element(BodyElement(XMLName("in", in: "urn:r")))]
        root.children = [.element(child)]
        let text = XMLWriter.document(root, prefixes: ["urn:c": "c", "urn:d": "c"])
        #expect(text.contains(#"<r xmlns="urn:r" xmlns:c="urn:c" xmlns:ns1="urn:r" xmlns:ns2="urn:d">"#))
        #expect(text.contains(#"<c:c ns1:x="1" ns2:y="2"><none xmlns=""/><in/></c:c>"#))
        #expect(try BodyElement(parsing: Array(text.utf8)) == root)
    }

    @Test("an element without namespace holds one of the root's")
    func returning() throws {
        var inner = BodyElement(XMLName("b"))
        inner.children = [.element(BodyElement(XMLName("c", in: "urn:r")))]
        var root = BodyElement(XMLName("a", in: "urn:r"))
        root.children = [.element(inner)]
        let text = XMLWriter.document(root)
        #expect(text.contains(#"<b xmlns=""><c xmlns="urn:r"/></b>"#))
        #expect(try BodyElement(parsing: Array(text.utf8)) == root)
    }

    @Test("the xml prefix needs no declaration")
    func xmlPrefix() throws {
        let name = XMLName("lang", in: "http://www.w3.org/XML/1998/namespace")
        let root = BodyElement(XMLName("a"), attributes: [XMLAttribute(name, "en")])
        let text = XMLWriter.document(root)
        #expect(text.contains(#"<a xml:lang="en"/>"#))
        #expect(try BodyElement(parsing: Array(text.utf8)) == root)
    }

    @Test("a name cannot hold markup")
    func names() throws {
        var root = BodyElement(XMLName("a><b/", in: "urn:r"))
        root.attributes = [XMLAttribute(XMLName("1x y=\"z\"", in: "urn:r"), "v"), XMLAttribute(XMLName(""), "w")]
        let parsed = try BodyElement(parsing: Array(XMLWriter.document(root).utf8))
        #expect(parsed.name == XMLName("a__b_", in: "urn:r"))
        #expect(parsed.attributes.map(\.name.local) == ["_x_y__z_", "_"])
    }

    @Test("text in many pieces is one run", .timeLimit(.minutes(5)))
    func manyPieces() throws {
        let text = "<a>" + String(repeating: "x<!---->", count: 60_000) + "</a>"
        #expect(try BodyElement(parsing: Array(text.utf8)).text == String(repeating: "x", count: 60_000))
    }
}
