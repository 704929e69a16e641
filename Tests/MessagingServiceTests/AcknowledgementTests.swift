import Testing

@testable import MessagingService

@Suite("Acknowledgements in their usual form")
struct AcknowledgementTests {
    @Test(
        "recognised",
        arguments: [
            ("{\"ack\":0}", 0, nil), ("{\"ack\":12}", 12, nil), ("{\"ack\":12,\"level\":7}", 12, 7),
            ("{\"ack\":999999999999999999}", 999_999_999_999_999_999, nil),
        ] as [(String, Int64, Int64?)]
    )
    func recognised(_ text: String, _ number: Int64, _ level: Int64?) throws {
        let found = try #require(Acknowledgement(Array(text.utf8)))
        #expect(found.number == number)
        #expect(found.level == level)
    }

    @Test(
        "everything else is left to the JSON reader",
        arguments: [
            "", "{", "{\"ack\":}", "{\"ack\":-1}", "{\"ack\":01}", "{\"ack\":1.0}", "{\"ack\":1e3}", "{\"ack\": 1}",
            "{\"ack\":1} ", "{\"ack\":1,\"level\":}", "{\"ack\":1,\"ref\":2}", "{\"ack\":9999999999999999999}",
            "{\"level\":1,\"ack\":1}", "{\"ack\":1}}",
        ]
    )
    func others(_ text: String) { #expect(Acknowledgement(Array(text.utf8)) == nil) }
}
