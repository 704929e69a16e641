import CPIM
import Testing

@Suite("MIME")
struct MIMETests {
    @Test("entities are printed as they came, folds and all")
    func exact() throws {
        let bytes = message("A: b", "\tc", "d:e", "", "body\n")
        let entity = try MIMEEntity(parsing: bytes)
        #expect(entity.bytes == bytes)
        #expect(entity.header("a") == "b c")
        #expect(entity.header("D") == "e")
        #expect(try MIMEEntity(parsing: message("", "x")).body.elementsEqual("x".utf8))
        #expect(try MIMEEntity(parsing: message("A: b")).body.isEmpty)
    }

    @Test(
        "media types",
        arguments: [
            ("Text/Plain", "text/plain"),
            ("text/plain ; Charset = \"a\\\"b\" ;; x=y", "text/plain; charset=\"a\\\"b\"; x=y"),
            (
                "message/external-body; access-type=URL; URL=http://x/y?z",
                "message/external-body; access-type=URL; url=\"http://x/y?z\""
            ),
            ("a/b; c=\"\"", "a/b; c=\"\""),
        ]
    )
    func mediaTypes(_ text: String, _ printed: String) throws {
        let type = try MediaType(text)
        #expect(type.description == printed)
        #expect(try MediaType(printed) == type)
    }

    @Test(
        "what is no media type is refused",
        arguments: ["", "text", "text/", "/x", "a/b c", "a/b; c", "a/b; c=", "a/b; c=\"x"]
    )
    func badMediaTypes(_ text: String) {
        #expect(throws: CPIMError(.invalidMediaType, "")) { try MediaType(text) }
    }

    static func part(_ text: String) -> MIMEEntity { MIMEEntity(contentType: "text/plain", body: text.utf8) }

    @Test("a multipart comes back, whatever its parts hold")
    func multipart() throws {
        let parts = [
            Self.part("one\r\n"), Self.part("--b\r\n--bseed--\r\n"), Self.part(""),
            MIMEEntity(headers: [], body: "x".utf8),
        ]
        let boundary = Multipart.boundary(for: parts, seed: "seed")
        #expect(boundary == "bseed-1")
        let multipart = Multipart(
            subtype: "related",
            parameters: [.init(name: "type", value: "text/plain")],
            boundary: boundary,
            parts: parts
        )
        #expect(try Multipart(multipart.entity) == multipart)
        #expect(multipart.root == parts[0])
    }

    @Test("the start parameter names the root of related")
    func root() {
        var second = Self.part("2")
        second.headers.append(MIMEHeader("Content-ID", "<r@example.com>"))
        let multipart = Multipart(
            subtype: "related",
            parameters: [.init(name: "start", value: "<r@example.com>")],
            boundary: "b",
            parts: [Self.part("1"), second]
        )
        #expect(multipart.root == second)
    }

    @Test("preamble, epilogue, bare LF and blanks after the boundary are passed over")
    func lenient() throws {
        let body = "preamble\n--b \t\nA: 1\n\none\n--bb\n--b\n\ntwo\n--b--\nepilogue --b"
        let parts = try Multipart(MIMEEntity(contentType: "multipart/mixed; boundary=b", body: body.utf8)).parts
        #expect(parts.map { String(decoding: $0.body, as: UTF8.self) } == ["one\n--bb", "two"])
    }

    @Test("broken multiparts are refused")
    func broken() {
        let cases: [(String, String, CPIMError.Code)] = [
            ("text/plain", "", .unexpectedType), ("multipart/mixed", "", .invalidBoundary),
            ("multipart/mixed; boundary=\"\"", "", .invalidBoundary),
            ("multipart/mixed; boundary=\"a \"", "", .invalidBoundary),
            ("multipart/mixed; boundary=" + String(repeating: "b", count: 71), "", .invalidBoundary),
            ("multipart/mixed; boundary=b", "--b\r\n\r\nx", .unterminatedMultipart),
            ("multipart/mixed; boundary=b", "", .unterminatedMultipart),
            ("multipart/mixed; boundary=b", "--b\r\nno header\r\n\r\n--b--", .malformedHeader),
        ]
        for (type, body, code) in cases {
            #expect(throws: CPIMError(code, "")) { try Multipart(MIMEEntity(contentType: type, body: body.utf8)) }
        }
    }

    @Test("parts and nesting are bounded")
    func bounds() throws {
        var limits = CPIMLimits()
        limits.maximumParts = 3
        limits.maximumDepth = 2
        let wide = Multipart(subtype: "mixed", boundary: "b", parts: [MIMEEntity](repeating: Self.part("x"), count: 4))
        #expect(throws: CPIMError(.tooManyParts, "")) { try Multipart(wide.entity, limits: limits) }
        func nested(_ depth: Int) -> MIMEEntity {
            guard depth > 0 else { return Self.part("x") }
            return Multipart(subtype: "mixed", boundary: "b\(depth)", parts: [nested(depth - 1)]).entity
        }
        #expect(try nested(2).leaves(limits: limits) == [Self.part("x")])
        #expect(throws: CPIMError(.tooDeep, "")) { try nested(3).leaves(limits: limits) }
    }

    @Test("transfer encodings")
    func transferEncodings() throws {
        func decode(_ text: String, _ encoding: String) throws -> String {
            String(decoding: try TransferEncoding.decode(Array(text.utf8)[...], encoding: encoding), as: UTF8.self)
        }
        #expect(try decode("x=", "8BIT") == "x=")
        #expect(try decode("SGVs\r\nbG8=\r\n", "Base64") == "Hello")
        #expect(try decode("SGVsbG8", "base64") == "Hello")
        #expect(try decode("a=3D=\r\nb=\n=zz=", "quoted-printable") == "a=b=zz=")
        for bad in ["SGVsbG8==", "S", "SGV=sbG8", "SG!V", "=", "SA=a"] {
            #expect(throws: CPIMError(.invalidTransferEncoding, ""), "\(bad)") { try decode(bad, "base64") }
        }
        #expect(throws: CPIMError(.unsupportedEncoding, "")) { try decode("", "uuencode") }
        for count in 0..<200 {
            let bytes = (0..<count).map { UInt8($0 & 0xFF) }
            let text = TransferEncoding.encodeBase64(bytes)
            #expect(text.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 })
            #expect(try TransferEncoding.decode(Array(text.utf8)[...], encoding: "base64") == bytes)
        }
    }

    @Test("a reference to content elsewhere comes back (RFC 4483)")
    func externalBody() throws {
        let reference = ExternalBody(
            url: "https://store.example.com/o/17?a=b",
            expiration: "Sun, 01 Mar 2026 11:00:00 GMT",
            size: 82_931,
            headers: [MIMEHeader("Content-Type", "message/cpim"), MIMEHeader("Content-Disposition", "render")]
        )
        #expect(try ExternalBody(reference.entity) == reference)
        let types = [
            "text/plain", "message/external-body; access-type=FTP; url=x; expiration=x",
            "message/external-body; access-type=URL; expiration=x", "message/external-body; access-type=URL; url=x",
        ]
        let codes: [CPIMError.Code] = [
            .unexpectedType, .invalidExternalBody, .invalidExternalBody, .invalidExternalBody,
        ]
        for (type, code) in zip(types, codes) {
            let entity = MIMEEntity(contentType: type, body: "Content-Type: a/b\r\n\r\n".utf8)
            #expect(throws: CPIMError(code, "")) { try ExternalBody(entity) }
        }
    }
}
