import ClientWire
import ContinuoClient
import Interconnect
import MessagingCore
import MessagingService
import Testing

extension Provider {
    /// Uploads a file of the sender's, in pieces.
    func upload(
        _ who: Person,
        bytes: Int,
        seed: UInt8,
        type: String = "image/png",
        name: String? = "picture äö.png"
    ) async throws -> String {
        let upload = try await service.startUpload(
            who.who,
            UploadRequest(type: type, name: name, bytes: Int64(bytes))
        )
        var offset = 0
        while offset < bytes {
            let piece = Self.content(bytes: Swift.min(1 << 20, bytes - offset), at: offset, seed: seed)
            offset = Int(try await service.appendUpload(who.who, upload.id, offset: Int64(offset), piece))
        }
        _ = try await service.finishPiece(who.who, upload.id)
        return upload.id
    }

    /// Octets that are the same each time, and different in each place.
    static func content(bytes: Int, at offset: Int, seed: UInt8) -> [UInt8] {
        (offset..<offset + bytes).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) ^ seed }
    }

    /// What a part holds.
    func bytes(_ part: Part) async throws -> [UInt8] {
        guard let hash = part.sha256 else { return Array((part.text ?? "").utf8) }
        var all: [UInt8] = []
        while all.count < part.bytes {
            let piece = try await service.readBlob(hash, offset: Int64(all.count), count: 1 << 20)
            try #require(!piece.isEmpty)
            all += piece
        }
        return all
    }
}

@Suite("Large messages between providers")
struct LargeTests {
    @Test("a long text, and a message with files, arrive as they were sent")
    func files() async throws {
        let (a, b) = try await pair()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let long = String(repeating: "Ein langer Text. ", count: 2000)
        let first = try await a.send(long, from: alice, to: [bob.address], subject: "long")
        #expect(try await b.arrived(first, bob).message?.parts.map(\.text) == [long])

        // A file may be called text: its octets are kept, in whatever encoding they are, and however many.
        let files = [(1, "text/plain"), (70_001, "text/csv"), (3_000_000, "image/png"), (3, "text/html")]
        var parts = [PartRequest(text: "four files")]
        func name(_ index: Int) -> String? { index == 3 ? nil : "picture äö.png" }
        for (index, (size, type)) in files.enumerated() {
            let seed = UInt8(index + 200)
            let upload = try await a.upload(alice, bytes: size, seed: seed, type: type, name: name(index))
            parts.append(PartRequest(upload: upload))
        }
        let id = a.newID()
        _ = try await a.service.send(
            alice.who,
            SendRequest(id: id, to: [bob.address], subject: "pictures", parts: parts, reports: [.displayed])
        )
        // A mobile is told of it only, and fetches it.
        _ = try await b.arrived(id, bob)
        let message = try #require(try await b.service.fetch(bob.who, id).message)
        #expect(message.parts.count == 5)
        #expect(message.parts.first?.text == "four files")
        for (index, (size, type)) in files.enumerated() {
            let part = message.parts[index + 1]
            #expect(part.name == name(index))
            #expect(part.type == type)
            #expect(part.text == nil)
            #expect(try await b.bytes(part) == Provider.content(bytes: size, at: 0, seed: UInt8(index + 200)))
        }
        #expect(try await b.waitingUploads(bob) == 0)
        _ = try await b.service.markRead(bob.who, ReadRequest(ids: [id]))
        try await a.becomes(id, alice, ["displayed"])
        // A file alone is a message of one part.
        let alone = a.newID()
        let picture = PartRequest(upload: try await a.upload(alice, bytes: 5000, seed: 9))
        _ = try await a.service.send(alice.who, SendRequest(id: alone, to: [bob.address], parts: [picture]))
        let part = try #require(try await b.arrived(alone, bob).message?.parts.first)
        #expect(try await b.bytes(part) == Provider.content(bytes: 5000, at: 0, seed: 9))
        await a.stop()
        await b.stop()
    }

    @Test("a message that the receiver has no room for is refused with its reason, and leaves nothing behind")
    func noRoom() async throws {
        let (a, b) = try await pair()
        let alice = try await a.person("alice")
        let bob = try await b.person("bob", quota: 100_000)
        let id = a.newID()
        let picture = PartRequest(upload: try await a.upload(alice, bytes: 200_000, seed: 1))
        _ = try await a.service.send(alice.who, SendRequest(id: id, to: [bob.address], parts: [picture]))
        try await a.becomes(id, alice, ["failed"])
        #expect(try await a.service.message(alice.who, id).receivers?.first?.reason == .quotaExceeded)
        #expect(try await b.texts(bob).isEmpty)
        #expect(try await b.waitingUploads(bob) == 0)
        let nobody = a.newID()
        let again = PartRequest(upload: try await a.upload(alice, bytes: 200_000, seed: 2))
        let unknown = try Address("nobody@b.example")
        _ = try await a.service.send(alice.who, SendRequest(id: nobody, to: [unknown], parts: [again]))
        try await a.becomes(nobody, alice, ["failed"])
        #expect(try await a.service.message(alice.who, nobody).receivers?.first?.reason == .notFound)
        await a.stop()
        await b.stop()
    }
}
