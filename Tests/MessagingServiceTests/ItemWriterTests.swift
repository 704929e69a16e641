import ClientWire
import Foundation
import MessagingCore
import Testing

@testable import MessagingService

@Suite("Documents written by hand")
struct ItemWriterTests {
    private static let id = MessageID(stored: "01890f3e-0000-7000-8000-000000000001")
    private static let alice = Address(stored: "sip:alice@localhost")
    private static let bob = Address(stored: "sip:bob@localhost")

    @Test(
        "an envelope reads as its own encoding does",
        arguments: [
            "", "plain", "\"quoted\" \\ and / slash", "line\nbreak\ttab\r", "\u{0}\u{1}\u{8}\u{c}\u{1f}\u{7f}",
            "Grüße 👋🏽 日本語", "\u{2028}\u{FEFF}e\u{301}",
        ]
    )
    func envelope(text: String) throws {
        let file = Part(
            type: "image/png",
            name: text,
            bytes: .max,
            blob: BlobHash(stored: String(repeating: "ab", count: 32))
        )
        let bare = Envelope(
            id: Self.id,
            from: Self.alice,
            to: [Self.bob],
            date: Timestamp(rawValue: 1_700_000_000_123),
            conversation: ConversationID(stored: "c-1"),
            parts: []
        )
        var full = bare
        full.to.append(Self.alice)
        full.kind = .inSession
        full.subject = text
        full.inReplyTo = Self.id
        full.expires = Timestamp(rawValue: 1_800_000_000_000)
        full.parts = [Part(type: "text/plain", text: text), file]
        for envelope in [bare, full] {
            let written = ItemWriter.document(of: envelope)
            #expect(try StrictJSON.decode(Envelope.self, from: Data(written)) == envelope)
            // Not a field more or less than the general encoder writes.
            let general = try StrictJSON.decode(JSONValue.self, from: StrictJSON.encode(envelope))
            #expect(try StrictJSON.decode(JSONValue.self, from: Data(written)) == general)
            // What is taken out of the index is read from the document, what goes in from the envelope.
            #expect(try Documents.decode(SearchableText.self, written).text == SearchableText(envelope).text)
        }
    }

    @Test("an answer to a send reads as its own encoding does", arguments: [true, false])
    func answer(repeated: Bool) throws {
        let states = [Disposition.pending, .delivered, .displayed].map {
            ReceiverState(address: Self.bob, disposition: $0, since: Timestamp(rawValue: 1_700_000_000_123))
        }
        var failed = ReceiverState(address: Self.alice, disposition: .failed, since: Timestamp(rawValue: 5))
        // Another server named it.
        failed.failure = Refusal.Code(rawValue: "x\"}]},{\"changed\":1,\"kind\":\"message\"")
        let answer = SendAnswer(
            id: Self.id,
            created: 42,
            conversation: ConversationID(stored: "c-1"),
            receivers: (states + [failed]).map(ReceiverDocument.init),
            balance: -7,
            repeated: repeated
        )
        var frame = ServerFrame()
        frame.ref = 9
        frame.sent = answer
        var writer = ItemWriter()
        writer.answer(answer, ref: 9)
        let general = try StrictJSON.decode(JSONValue.self, from: StrictJSON.encode(frame))
        #expect(try StrictJSON.decode(JSONValue.self, from: Data(writer.bytes)) == general)
    }
}
