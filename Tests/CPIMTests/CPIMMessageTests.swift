import CPIM
import Testing

/// A message made of lines.
func message(_ lines: String...) -> [UInt8] { Array(lines.joined(separator: "\r\n").utf8) }

@Suite("message/cpim")
struct CPIMMessageTests {
    static let sample = message(
        "From: MR SANDERS <im:piglet@example.com>",
        "To: \"Depressed \\\"Donkey\\\"\" <im:eeyore@example.com>",
        "cc: <im:owl@example.com>",
        "DateTime: 2000-12-13T13:40:00-08:00",
        "Subject: the weather",
        "Subject:;lang=fr beau temps",
        "NS: F <mid:features@example.com>",
        "Require: F.Vital, F.Other",
        "F.Vital: yes",
        "x.Unknown:;a=\"b c\"   padded  ",
        "",
        "Content-type: text/plain;",
        " charset=utf-8",
        "Content-ID: <1@example.com>",
        "",
        "Hello"
    )

    @Test("what is read is printed octet for octet")
    func exact() throws {
        #expect(try CPIMMessage(parsing: Self.sample).bytes == Self.sample)
    }

    @Test("typed views")
    func views() throws {
        let message = try CPIMMessage(parsing: Self.sample)
        #expect(message.from == CPIMAddress(name: "MR SANDERS", uri: "im:piglet@example.com"))
        #expect(message.to == [CPIMAddress(name: "Depressed \"Donkey\"", uri: "im:eeyore@example.com")])
        #expect(message.cc == [CPIMAddress(uri: "im:owl@example.com")])
        #expect(message.dateTime?.unixSeconds == 976_743_600)
        #expect(message.subjects.map(\.language) == [nil, "fr"])
        #expect(message.subjects.map(\.text) == ["the weather", "beau temps"])
        #expect(message.required == ["F.Vital", "F.Other"])
        #expect(message.requirementsNotMet { _, _ in true } == ["F.Other"])
        #expect(message.requirementsNotMet { _, _ in false } == ["F.Vital", "F.Other"])
        #expect(message.requirementsNotMet { $0 == "mid:features@example.com" && $1 == "Vital" } == ["F.Other"])
        #expect(message.content.mediaType?.description == "text/plain; charset=utf-8")
        #expect(message.content.header("content-id") == "<1@example.com>")
        #expect(message.content.body.elementsEqual("Hello".utf8))
        #expect(message.prefix(for: "mid:features@example.com") == "F")
    }

    @Test("a prefix means what was declared before it")
    func namespaces() throws {
        let parsed = try CPIMMessage(
            parsing: message(
                "a.X: 1",
                "NS: a <urn:1>",
                "a.X: 2",
                "NS: a <urn:2>",
                "a.X: 3",
                "Y: 4",
                "NS: <urn:3>",
                "Y: 5",
                "NS: b<urn:4>",
                "b.Z: 6",
                "",
                "",
                ""
            )
        )
        #expect(
            parsed.resolvedHeaders.map(\.namespace) == [nil, "urn:1", "urn:2", CPIMNamespace.core, "urn:3", "urn:4"]
        )
        #expect(parsed.value(of: "X", in: "urn:2") == "3")
        #expect(parsed.value(of: "Y") == "4")
        #expect(parsed.value(of: "Y", in: "urn:3") == "5")
    }

    @Test("bare LF is taken and printed as CRLF")
    func bareLF() throws {
        let bare = String(decoding: Self.sample, as: UTF8.self).unicodeScalars.filter { $0 != "\r" }
        let parsed = try CPIMMessage(parsing: Array(String(String.UnicodeScalarView(bare)).utf8))
        #expect(parsed.bytes == Self.sample)
    }

    @Test("MIME headers among the message headers are found when the separator is missing")
    func missingSeparator() throws {
        let parsed = try CPIMMessage(
            parsing: message("From: <im:a@b>", "Content-type: text/plain", "Content-length: 99", "", "body")
        )
        #expect(parsed.content.mediaType?.essence == "text/plain")
        #expect(parsed.content.body.elementsEqual("body".utf8))
        #expect(
            parsed.bytes == message("From: <im:a@b>", "", "Content-type: text/plain", "Content-length: 99", "", "body")
        )
    }

    @Test(
        "what breaks the grammar is refused with its code",
        arguments: [
            ([UInt8](), CPIMError.Code.empty), (message("From: <im:a@b>", ""), .missingSeparator),
            (message("no colon", "", ""), .malformedHeader), (message(" folded: x", "", ""), .malformedHeader),
            (message("a b: c", "", ""), .malformedHeader), (message("A:;b c", "", ""), .malformedHeader),
            (message("A:;b=\"c", "", ""), .malformedHeader), (message("A: \u{0}", "", ""), .invalidCharacter),
            ([UInt8]("A: ".utf8) + [0xFF] + message("", "", ""), .invalidEncoding),
            (message("A: b", "", "no mime header", ""), .malformedHeader),
        ]
    )
    func refused(_ bytes: [UInt8], _ code: CPIMError.Code) {
        #expect(throws: CPIMError(code, "")) { try CPIMMessage(parsing: bytes) }
    }

    @Test("every limit has its own error")
    func limits() {
        var limits = CPIMLimits()
        limits.maximumBytes = 300
        limits.maximumHeaders = 3
        limits.maximumHeaderBytes = 40
        let long = String(repeating: "x", count: 50)
        let cases: [([UInt8], CPIMError.Code)] = [
            ([UInt8](repeating: 0x20, count: 301), .messageTooLarge),
            (message("A: 1", "B: 2", "C: 3", "D: 4", "", ""), .tooManyHeaders),
            (message("A: \(long)", "", ""), .headerTooLong),
            (message("A: 1", "", "B: 1", "C: 2", "D: 3", "E: 4", ""), .tooManyHeaders),
            (message("A: 1", "", "B: 1", " \(long)", ""), .headerTooLong),
        ]
        for (bytes, code) in cases {
            #expect(throws: CPIMError(code, "")) { try CPIMMessage(parsing: bytes, limits: limits) }
        }
    }

    @Test("escapes are undone, unknown ones are errors")
    func escapes() throws {
        func value(_ text: String) throws -> String {
            let parsed = try CPIMMessage(parsing: message("Subject: \(text)", "", "", ""))
            return try parsed.headers[0].value()
        }
        #expect(try value(#"a\\b\"c\'d\te\nf\rg\bh"#) == "a\\b\"c'd\te\nf\rg\u{8}h")
        #expect(try value(#"S\u00c4N"#) == "SÄN")
        #expect(try value(#"\uD83C\uDFA7"#) == "🎧")
        for bad in [#"\x"#, #"\"#, #"\u12"#, #"\u12G4"#, #"\uD83C"#, #"\uDFA7"#, #"\uD83C\u0041"#] {
            #expect(throws: CPIMError(.invalidEscape, "")) { try value(bad) }
        }
    }

    @Test("a value cannot end its header, whatever it holds")
    func injection() throws {
        let evil = "a\r\nFrom: <im:evil@b>\u{0}\\\"é🎧"
        let made = CPIMMessage(
            headers: [
                CPIMHeader("Subject", parameters: [.init(name: "x", value: "a;b \"c\"\n")], value: evil),
                CPIMHeader("To", address: CPIMAddress(name: evil, uri: "im:a@b>\r\nX: <y")),
            ],
            content: MIMEEntity(headers: [MIMEHeader("Content-Type", "text/plain\r\nX: y")], body: [])
        )
        let parsed = try CPIMMessage(parsing: made.bytes)
        #expect(parsed.headers.count == 2)
        #expect(try parsed.headers[0].value() == evil)
        #expect(parsed.headers[0].parameter("x") == "a;b \"c\"\n")
        #expect(parsed.to == [CPIMAddress(name: evil, uri: "im:a@bX:y")])
        #expect(parsed.content.headers.count == 1)
    }

    @Test(
        "addresses of every shape",
        arguments: [
            ("<im:a@b>", nil, "im:a@b"), ("A B <im:a@b>", "A B", "im:a@b"), ("\"A <x>\"<im:a@b>", "A <x>", "im:a@b"),
            ("sip:a@b", nil, "sip:a@b"), ("\"\" <im:a@b>", "", "im:a@b"), (" < im:a@b> ", nil, " im:a@b"),
        ] as [(String, String?, String)]
    )
    func addresses(_ text: String, _ name: String?, _ uri: String) throws {
        let parsed = try CPIMMessage(parsing: message("From: \(text)", "", "", ""))
        #expect(parsed.from == CPIMAddress(name: name, uri: uri))
    }

    @Test(
        "what is no address is told apart",
        arguments: ["", "A", "A B", "<>", "\"A <im:a@b>", "a <im:a@b", "\"a\" im:a@b"]
    )
    func badAddresses(_ text: String) throws {
        let parsed = try CPIMMessage(parsing: message("From: \(text)", "", "", ""))
        #expect(throws: CPIMError(.invalidAddress, "")) { try CPIMAddress(parsed.headers[0]) }
        #expect(parsed.from == nil)
    }
}
