import MessagingCore
import Testing

@Suite("Addresses are canonical once (RFC 3261 section 19.1, RFC 3966)")
struct AddressTests {
    @Test(
        "equal addresses become the same text",
        arguments: [
            ("alice@a.example", "sip:alice@a.example"),
            ("SIP:Alice@A.Example", "sip:alice@a.example"),
            ("sips:alice@a.example;transport=tcp", "sip:alice@a.example"),
            ("sip:alice@a.example?subject=x", "sip:alice@a.example"),
            ("sip:+39-06-123@a.example;user=phone", "tel:+3906123"),
            ("tel:+1 (201) 555-0123", "tel:+12015550123"),
            ("tel:+12015550123;phone-context=x", "tel:+12015550123"),
            ("sip:a%20b@a.example", "sip:a%20b@a.example"),
        ]
    )
    func canonical(_ text: String, _ expected: String) throws {
        #expect(try Address(text).description == expected)
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "alice", "@a.example", "alice@", "alice@-bad", "alice@a..b", "http://a.example", "tel:123",
            "tel:+12345678901234567890123", "al ice@a.example", "alice@a.example>", "a\"b@a.example",
            String(repeating: "a", count: 300) + "@a.example",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: Refusal(.invalidAddress, "")) { try Address(text) }
    }

    @Test("the domain is what stands after the last @; a number has none")
    func domain() throws {
        #expect(try Address("bob@b.example").domain == "b.example")
        #expect(try Address("tel:+3906123").domain == nil)
    }
}

@Suite("Identifiers and times")
struct IdentifierTests {
    @Test("a UUID of version 7 tells when it was made (RFC 9562 section 5.7)")
    func creationTime() throws {
        let id = try MessageID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
        #expect(id.creationTime == Timestamp(rawValue: 1_645_557_742_000))
    }

    @Test(
        "others tell nothing",
        arguments: ["017f22e2-79b0-4cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "short"]
    )
    func noCreationTime(_ text: String) throws { #expect(try MessageID(text).creationTime == nil) }

    @Test(
        "ids of every make are taken: imdn.Message-ID is a token (RFC 5438 section 6.3, RFC 3261 section 25.1)",
        arguments: ["rWTH0wRZb~Ca", "a!b*c'd`e+f%20_-.", "7@host.example"]
    )
    func token(_ text: String) throws { #expect(try MessageID(text).description == text) }

    @Test(
        "ids that could break out of a document or a path are refused",
        arguments: ["", "a b", "a/b", "a\"b", "ä", String(repeating: "x", count: 129)]
    )
    func refused(_ text: String) {
        #expect(throws: Refusal(.invalidID, "")) { try MessageID(text) }
    }

    @Test(
        "times are written and read as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_645_557_742_123, "2022-02-22T19:22:22.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ] as [(Int64, String)]
    )
    func times(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(rawValue: milliseconds).description == text)
        #expect(Timestamp(text)?.rawValue == milliseconds)
    }

    @Test("offsets and fractions are understood")
    func offsets() {
        #expect(Timestamp("2024-01-01T12:34:05.5+02:00") == Timestamp("2024-01-01T10:34:05.500Z"))
        #expect(Timestamp("2024-01-01t12:34:05z") != nil)
    }

    @Test(
        "what is no time is nil",
        arguments: ["", "2024-01-01", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "x"]
    )
    func noTime(_ text: String) { #expect(Timestamp(text) == nil) }

    @Test("the local minute and weekday follow the offset")
    func localMinute() throws {
        // 2022-02-22 was a Tuesday.
        let time = try #require(Timestamp("2022-02-22T23:30:00Z"))
        #expect(time.localMinute(utcOffsetMinutes: 0) == (1410, 2))
        #expect(time.localMinute(utcOffsetMinutes: 60) == (30, 3))
        #expect(time.localMinute(utcOffsetMinutes: -1440 + 30) == (0, 2))
    }
}
