import ClientWire
import Foundation
import MessagingCore
import Testing

@testable import ContinuoClient

/// The server's frames of a small history, as text.
private let history: [String] = [
    #"{"welcome":{"account":1,"device":1,"epoch":"e1","head":3,"now":"2026-11-23T00:00:00.000Z","windowItems":256,"windowBytes":1048576,"leaseMilliseconds":3600000}}"#,
    #"{"reset":{"reason":"fresh","epoch":"e1","asOf":3,"unread":1,"items":[{"changed":3,"created":3,"kind":"message","id":"m-3","deliver":"whole","read":false,"message":{"id":"m-3","from":"sip:bob@a.example","to":["sip:alice@a.example"],"date":"2026-11-23T00:00:00.000Z","kind":"immediate","conversation":"c-1","parts":[{"type":"text/plain","bytes":5,"text":"three"}]}}],"last":true}}"#,
    #"{"changes":[{"changed":4,"created":4,"kind":"message","id":"m-4","deliver":"whole","read":false},{"changed":5,"created":3,"kind":"message","id":"m-3","deliver":"whole","read":true}],"upTo":5,"level":5}"#,
    #"{"changes":[{"changed":6,"created":4,"kind":"message","id":"m-4","gone":true}],"upTo":6}"#,
]

private func frame(_ text: String) throws -> ServerFrame {
    try StrictJSON.decode(ServerFrame.self, from: Data(text.utf8))
}

/// A path that is gone after the test.
private final class Place {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("The local mailbox")
struct LocalMailboxTests {
    @Test("frames in order make the mailbox; content comes once and stays when flags change")
    func frames() throws {
        var mailbox = LocalMailbox()
        #expect(mailbox.apply(try frame(history[0])).isEmpty)
        #expect(mailbox.cursor == nil)
        #expect(mailbox.apply(try frame(history[1])).count == 2)
        #expect(mailbox.cursor == Cursor(epoch: Epoch("e1"), number: 3, level: 3))
        #expect(mailbox.apply(try frame(history[2])).count == 2)
        #expect(mailbox.cursor == Cursor(epoch: Epoch("e1"), number: 5, level: 5))
        #expect(mailbox.messages.map(\.id) == ["m-3", "m-4"])
        #expect(mailbox.items[3]?.read == true)
        #expect(mailbox.items[3]?.message?.parts.first?.text == "three")
        #expect(mailbox.apply(try frame(history[3])).count == 1)
        #expect(mailbox.messages.map(\.id) == ["m-3"])
        #expect(mailbox.cursor == Cursor(epoch: Epoch("e1"), number: 6, level: 5))
    }

    @Test("a listing anew drops what it does not name, over several pages")
    func reset() throws {
        var mailbox = LocalMailbox()
        for text in history[0...2] { _ = mailbox.apply(try frame(text)) }
        let pages = [
            #"{"reset":{"reason":"other-epoch","epoch":"e2","asOf":9,"unread":0,"items":[{"changed":9,"created":9,"kind":"message","id":"m-9"}],"last":false}}"#,
            #"{"reset":{"reason":"other-epoch","epoch":"e2","asOf":9,"unread":0,"items":[{"changed":3,"created":3,"kind":"message","id":"m-3"}],"last":true}}"#,
        ]
        _ = mailbox.apply(try frame(pages[0]))
        #expect(mailbox.cursor?.epoch == Epoch("e1"))
        _ = mailbox.apply(try frame(pages[1]))
        #expect(mailbox.messages.map(\.id) == ["m-3", "m-9"])
        #expect(mailbox.cursor == Cursor(epoch: Epoch("e2"), number: 9, level: 9))
    }

    @Test("a digest removes and marks without content")
    func digest() throws {
        var mailbox = LocalMailbox()
        for text in history[0...2] { _ = mailbox.apply(try frame(text)) }
        let events = mailbox.apply(
            try frame(#"{"digest":{"asOf":9,"unread":0,"gone":[3,77],"read":[4,78],"last":true}}"#)
        )
        #expect(events.count == 2)
        #expect(mailbox.messages.map(\.id) == ["m-4"])
        #expect(mailbox.items[4]?.read == true)
    }
}

@Suite("The journal")
struct JournalTests {
    private func write(_ path: String, _ texts: some Sequence<String>) throws {
        let journal = try MailboxJournal(path: path)
        for text in texts { _ = try journal.append(try frame(text), text.utf8) }
        try journal.synchronise()
    }

    @Test("what was synced is there when it is opened again")
    func reopened() throws {
        let place = Place()
        try write(place.path, history)
        let again = try MailboxJournal(path: place.path)
        #expect(again.mailbox.messages.map(\.id) == ["m-3"])
        #expect(again.mailbox.cursor == Cursor(epoch: Epoch("e1"), number: 6, level: 5))
    }

    @Test("torn at every byte it opens with what is whole, and goes on")
    func torn() throws {
        let place = Place()
        try write(place.path, history)
        let whole = try #require(FileManager.default.contents(atPath: place.path))
        var states: Set<Int64> = []
        for length in stride(from: 0, through: whole.count, by: 1) {
            try whole.prefix(length).write(to: URL(fileURLWithPath: place.path))
            let number = try MailboxJournal(path: place.path).mailbox.cursor?.number ?? 0
            #expect([0, 3, 5, 6].contains(number))
            states.insert(number)
        }
        #expect(states == [0, 3, 5, 6])
        // A flipped bit ends what is believed, too.
        for place_ in stride(from: 0, to: whole.count, by: 37) {
            var bytes = whole
            bytes[place_] ^= 0x20
            try bytes.write(to: URL(fileURLWithPath: place.path))
            let number = try MailboxJournal(path: place.path).mailbox.cursor?.number ?? 0
            #expect(number < 6)
        }
    }

    @Test("after much history the file is written anew, smaller, with the same mailbox")
    func compacted() throws {
        let place = Place()
        let journal = try MailboxJournal(path: place.path)
        for text in history[0...1] { _ = try journal.append(try frame(text), text.utf8) }
        let filler = String(repeating: "x", count: 2000)
        for number in 4...400 {
            let text =
                #"{"changes":[{"changed":\#(number),"created":4,"kind":"contact","id":"c","value":"\#(filler)"}],"upTo":\#(number)}"#
            _ = try journal.append(try frame(text), text.utf8)
            try journal.synchronise()
        }
        let size = try #require(FileManager.default.contents(atPath: place.path)).count
        #expect(size < 300_000)
        #expect(journal.mailbox.cursor?.number == 400)
    }

    @Test("two programs cannot be the same device at once")
    func locked() throws {
        let place = Place()
        let journal = try MailboxJournal(path: place.path)
        #expect(throws: ClientError.self) { try MailboxJournal(path: place.path) }
        withExtendedLifetime(journal) {}
    }
}

@Suite("Small parts of the SDK")
struct SmallPartTests {
    @Test("back-off doubles up to its limit, with jitter, and starts again after success")
    func backoff() {
        var backoff = Backoff(first: .milliseconds(100), limit: .seconds(1))
        #expect(
            (0..<6).map { _ in backoff.next(random: 1) } == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) }
        )
        backoff.reset()
        #expect(backoff.next(random: 0) == .milliseconds(50))
        #expect(backoff.next(random: 0.5) == .milliseconds(150))
        for _ in 0..<100 { #expect(backoff.next(random: .random(in: 0..<1)) <= .seconds(1)) }
    }

    @Test("a message id is a UUID of version 7 with the time it was made for")
    func messageID() {
        let time = Timestamp(rawValue: 1_790_000_123_456)
        let ids = (0..<100).map { _ in MessageID.unique(at: time) }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.creationTime == time })
    }

    @Test(
        "file names from elsewhere cannot leave the folder, hide, or pose as options",
        arguments: [
            ("harbour.png", "harbour.png"), ("../../etc/passwd", "passwd"), ("..\\..\\x.exe", "x.exe"), ("..", "file"),
            ("", "file"), (".bashrc", "bashrc"), ("-rf", "rf"), ("a/b/", "b"), ("evil\u{202E}gpj.exe", "evilgpj.exe"),
            ("nul\u{0}l", "null"),
        ]
    )
    func fileNames(_ name: String, _ safe: String) { #expect(safeFileName(name, fallback: "file") == safe) }

    @Test("what waits to be sent survives, is sent in order, and a refused one leaves the queue")
    func sendQueue() async throws {
        let place = Place()
        let queue = try SendQueue(folder: place.path)
        let ids = (0..<3).map { MessageID.unique(at: Timestamp(rawValue: 1_790_000_000_000 + Int64($0))) }
        for id in ids.reversed() {
            try queue.add(SendRequest(id: id, to: [try Address("a@a.example")], parts: [PartRequest(text: "x")]))
        }
        let again = try SendQueue(folder: place.path)
        #expect(try again.waiting().map(\.id) == ids)
        // Nobody listens there: everything stays.
        let client = try ContinuoClient(server: ServerAddress(url: "http://127.0.0.1:9"), token: "t")
        await #expect(throws: ClientError.self) { try await again.flush(client, attempts: 1) { _ in } }
        #expect(try again.waiting().count == 3)
    }
}
