import ByteGrammar
import Testing

@Suite("Byte cursor")
struct ByteCursorTests {
    @Test("Tokens, separators and the end of the bytes")
    func tokens() {
        let bytes = Array("branch = z9hG4bK ; x".utf8)
        var cursor = ByteCursor(bytes.span)
        let name = cursor.token()
        #expect(name == 0..<6)
        let equals = cursor.separator(0x3D)
        #expect(equals)
        let value = cursor.token().map { bytes.span.text($0) }
        #expect(value == "z9hG4bK")
        let wrong = cursor.separator(0x2C)
        #expect(!wrong)
        let value1 = cursor.offset
        #expect(value1 == 16)
        let semicolon = cursor.separator(0x3B)
        #expect(semicolon)
        _ = cursor.token()
        let value2 = cursor.isAtEnd
        #expect(value2)
        let value3 = cursor.token()
        #expect(value3 == nil)
        let value4 = cursor.peek(0)
        #expect(value4 == nil)
        let value5 = cursor.peek(-100)
        #expect(value5 == nil)
    }

    @Test(
        "Quoted strings keep their escapes and must be closed",
        arguments: [
            (#""abc" x"#, #"abc"#, #"abc"#),
            (#""a\"b""#, #"a\"b"#, #"a"b"#),
            (#""a\\""#, #"a\\"#, #"a\"#),
            (#""""#, "", ""),
            ("\"a\r\n  b\"", "a\r\n  b", "a b"),
        ]
    )
    func quoted(source: String, raw: String, decoded: String) {
        let bytes = Array(source.utf8)
        var cursor = ByteCursor(bytes.span)
        let range = cursor.quotedString() ?? 0..<0
        let value6 = cursor.text(range)
        #expect(value6 == raw)
        let value7 = cursor.unescaped(range)
        #expect(value7 == decoded)
    }

    @Test("An unclosed quoted string leaves the cursor alone", arguments: [#""abc"#, #""abc\""#, #"abc"#, "\"", ""])
    func unclosed(source: String) {
        let bytes = Array(source.utf8)
        var cursor = ByteCursor(bytes.span)
        let range = cursor.quotedString()
        #expect(range == nil)
        let value8 = cursor.offset
        #expect(value8 == 0)
    }

    @Test("White space includes folds, not line ends")
    func folding() {
        let bytes = Array(" \t\r\n x\r\ny".utf8)
        var cursor = ByteCursor(bytes.span)
        cursor.skipWhitespace()
        let value9 = cursor.next
        #expect(value9 == UInt8(ascii: "x"))
        cursor.skip()
        cursor.skipWhitespace()
        let value10 = cursor.next
        #expect(value10 == 0x0D)
    }

    @Test(
        "Numbers stop at their maximum",
        arguments: [
            ("0", UInt64(9), UInt64(0)), ("007", 9, 7), ("10", 9, nil), ("", 9, nil), ("-1", 9, nil),
            ("18446744073709551615", .max, .max), ("18446744073709551616", .max, nil),
            ("99999999999999999999999", .max, nil),
        ] as [(String, UInt64, UInt64?)]
    )
    func numbers(source: String, maximum: UInt64, expected: UInt64?) {
        let bytes = Array(source.utf8)
        var cursor = ByteCursor(bytes.span)
        let value = cursor.unsigned(maximum: maximum)
        #expect(value == expected)
        let offset = cursor.offset
        #expect(expected != nil || offset == 0)
    }

    @Test("Lines end with CRLF or LF; an unfinished line is not a line")
    func lines() {
        let bytes = Array("one\r\ntwo\n\r\nrest".utf8)
        var cursor = ByteCursor(bytes.span)
        var lines: [String] = []
        while let line = cursor.line() { lines.append(bytes.span.text(line)) }
        #expect(lines == ["one", "two", ""])
        let value11 = cursor.offset
        #expect(value11 == 11)
    }

    @Test(
        "Literals compare without case",
        arguments: [("SIP/2.0", true), ("sip/2.0", true), ("SIP/2", false), ("", false)]
    )
    func literals(source: String, matches: Bool) {
        let bytes = Array(source.utf8)
        var cursor = ByteCursor(bytes.span)
        let taken = cursor.take("Sip/2.0" as StaticString)
        #expect(taken == matches)
        let value12 = cursor.offset
        #expect(value12 == (matches ? 7 : 0))
    }
}

@Suite("Bytes")
struct ByteTests {
    @Test("The word-wise search finds what a byte loop finds, at every offset and bound")
    func search() {
        for length in 0..<40 {
            for position in 0..<max(1, length) {
                var bytes = [UInt8](repeating: 0x0B, count: length)
                if length > 0 { bytes[position] = 0x0A }
                for start in 0...length {
                    let expected = length > 0 && position >= start ? position : nil
                    let found = ByteSearch.firstOffset(of: 0x0A, in: bytes.span.bytes, from: start, to: length)
                    #expect(found == expected)
                    let clamped = ByteSearch.firstOffset(of: 0x0A, in: bytes.span.bytes, from: start, to: length + 9)
                    #expect(clamped == expected)
                }
            }
        }
    }

    @Test("A set made of bytes equals the constant")
    func sets() {
        let token = ByteSet(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~".utf8
        )
        #expect(token == .token)
        #expect(!ByteSet.token.contains(0xE4))
        #expect(ByteSet.visible.contains(0xE4))
        #expect(!ByteSet.visible.contains(0x7F))
    }

    @Test("Percent escapes", arguments: [("a%20b", "a b"), ("%41", "A"), ("%4", nil), ("%zz", nil), ("%", nil)])
    func percent(source: String, expected: String?) {
        let decoded = PercentEncoding.decode(source.utf8).map { String(decoding: $0, as: UTF8.self) }
        #expect(decoded == expected)
    }

    @Test("Encoding and decoding meet")
    func percentRoundTrip() {
        let all = Array(UInt8.min...UInt8.max)
        let text = PercentEncoding.encode(all, unescaped: .uriUser)
        #expect(PercentEncoding.decode(text.utf8) == all)
        #expect(PercentEncoding.encode("50%".utf8, unescaped: .visible) == "50%25")
    }

    @Test("Case folding touches US-ASCII only")
    func asciiCase() {
        #expect(ASCII.lowercased("ÄBC") == "Äbc")
        #expect(ASCII.equalIgnoringCase("Content-Type", "content-TYPE"))
        #expect(!ASCII.equalIgnoringCase("\u{E9}", "e\u{301}"))
        #expect(!ASCII.equalIgnoringCase("@", "`"))
    }

    @Test("Trimming")
    func trimming() {
        let bytes = Array(" \r\n a b \t".utf8)
        #expect(bytes.span.text(bytes.span.trimmed(0..<bytes.count)) == "a b")
        #expect(bytes.span.trimmed(0..<2).isEmpty)
    }
}
