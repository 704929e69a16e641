import BlobStore
import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Uploads, blobs, files and links")
struct BlobTests {
    private let picture = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    private func hash(_ world: World, _ who: DeviceIdentity, _ upload: String) async throws -> BlobHash {
        try #require(try await world.service.upload(who, upload).sha256)
    }

    @Test("an upload goes on where it stood, also after a restart; pieces out of place are refused")
    func resumes() async throws {
        var world = try await World.open()
        let bob = try await world.person("bob")
        let eve = try await world.person("eve")
        let start = try await world.service.startUpload(
            bob.who,
            UploadRequest(type: "image/png", name: "a.png", bytes: Int64(picture.count))
        )
        #expect(start.offset == 0)
        #expect(try await world.service.appendUpload(bob.who, start.id, offset: 0, Array(picture[..<2000])) == 2000)
        let half = try await world.service.finishPiece(bob.who, start.id)
        #expect(!half.complete)
        #expect(half.offset == 2000)
        world = try await world.restarted()
        let service = world.service
        #expect(try await service.upload(bob.who, start.id).offset == 2000)
        for offset in [0, 1999, 2001, -1] as [Int64] {
            await #expect(throws: Refusal.self) {
                try await service.appendUpload(bob.who, start.id, offset: offset, [1, 2, 3])
            }
        }
        await #expect(throws: Refusal(.tooLarge, "")) {
            try await service.appendUpload(bob.who, start.id, offset: 2000, Array(repeating: 0, count: 3001))
        }
        await #expect(throws: Refusal(.notFound, "")) { try await service.upload(eve.who, start.id) }
        await #expect(throws: Refusal(.notFound, "")) { try await service.cancelUpload(eve.who, start.id) }
        await #expect(throws: Refusal(.invalidMessage, "")) {
            try await service.send(
                bob.who,
                SendRequest(id: try world.newID(), to: [eve.address], parts: [PartRequest(upload: start.id)])
            )
        }
        _ = try await service.appendUpload(bob.who, start.id, offset: 2000, Array(picture[2000...]))
        let done = try await service.finishPiece(bob.who, start.id)
        #expect(done.complete)
        #expect(try await service.finishPiece(bob.who, start.id) == done)
        await #expect(throws: Refusal(.conflict, "")) {
            try await service.appendUpload(bob.who, start.id, offset: 5000, [])
        }
        let hash = try #require(done.sha256)
        #expect(try await service.readBlob(hash, offset: 0, count: 10_000) == picture)
        #expect(try await service.readBlob(hash, offset: 4990, count: 100) == Array(picture[4990...]))
        #expect(try await service.readBlob(hash, offset: 9000, count: 100) == [])
        try await world.expectSound()
    }

    @Test("the same bytes twice are one file; at zero references it dies, and is buried after the grace")
    func lifeOfABlob() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let uploads = [try await world.upload(bob.who, picture), try await world.upload(alice.who, picture)]
        let hash = try await hash(world, bob.who, uploads[0])
        #expect(try await world.storedBlobs().count == 1)
        #expect(try await world.blob(hash)?.references == 2)
        let request = SendRequest(
            id: try world.newID(),
            to: [alice.address],
            parts: [PartRequest(upload: uploads[0]), PartRequest(upload: uploads[0])]
        )
        _ = try await world.service.send(bob.who, request)
        #expect(try await world.blob(hash)?.references == 3)
        // What takes the bytes spends the handle; asked again, the answer is the same.
        await #expect(throws: Refusal(.notFound, "")) { try await world.service.upload(bob.who, uploads[0]) }
        #expect(try await world.service.send(bob.who, request).repeated)
        let wanted = FileRequest(upload: uploads[1], name: "kept.png")
        let file = try await world.service.putFile(alice.who, wanted)
        #expect(try await world.service.putFile(alice.who, wanted) == file)
        #expect(try await world.blob(hash)?.references == 3)
        await #expect(throws: Refusal(.notFound, "")) { try await world.service.upload(alice.who, uploads[1]) }
        for person in [bob, alice] {
            _ = try await world.service.delete(person.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        }
        #expect(try await world.blob(hash)?.references == 1)
        try await world.service.deleteFile(alice.who, file.id)
        #expect(try await world.blob(hash)?.dyingSince == world.clock.now)
        world.clock.advance(milliseconds: MessagingService.blobGraceMilliseconds - 1)
        try await world.service.sweep()
        #expect(try world.blobs.exists(hash))
        world.clock.advance(milliseconds: 1)
        try await world.service.keepingBlobs { try await world.service.sweep() }
        #expect(try world.blobs.exists(hash))
        try await world.service.sweep()
        #expect(try !world.blobs.exists(hash))
        #expect(try await world.blob(hash) == nil)
        #expect(try await world.account(alice).used == 0)
        try await world.expectSound()
    }

    @Test("an upload that completes beside the burial of the same bytes keeps them, or is told to send again")
    func besideTheBurial() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        for round in 0..<25 {
            let bytes = Array("round \(round)".utf8)
            let first = try await world.upload(bob.who, bytes)
            let hash = try await hash(world, bob.who, first)
            try await world.service.cancelUpload(bob.who, first)
            world.clock.advance(milliseconds: MessagingService.blobGraceMilliseconds)
            let second = try await world.service.startUpload(
                bob.who,
                UploadRequest(type: "image/png", bytes: Int64(bytes.count))
            )
            _ = try await world.service.appendUpload(bob.who, second.id, offset: 0, bytes)
            async let swept: Void = world.service.sweep()
            var done: UploadDocument?
            do {
                done = try await world.service.finishPiece(bob.who, second.id)
            } catch let refusal as Refusal where refusal.code == .unavailable {
                done = try await world.service.finishPiece(bob.who, second.id)
            }
            try await swept
            #expect(done?.sha256 == hash)
            #expect(try await world.service.readBlob(hash, offset: 0, count: 100) == bytes)
            #expect(try await world.blob(hash)?.references == 1)
            try await world.service.cancelUpload(bob.who, second.id)
        }
        try await world.expectSound()
    }

    @Test(
        "a commit that fails after the file was finished leaves an upload that can be finished again",
        arguments: [true, false]
    )
    func failedCommit(restarts: Bool) async throws {
        var world = try await World.open()
        let bob = try await world.person("bob")
        let start = try await world.service.startUpload(
            bob.who,
            UploadRequest(type: "image/png", bytes: Int64(picture.count))
        )
        _ = try await world.service.appendUpload(bob.who, start.id, offset: 0, picture)
        world.store.failJobs(1)
        let first = world.service
        await #expect(throws: Refusal(.storeFull, "")) { try await first.finishPiece(bob.who, start.id) }
        #expect(try await world.service.upload(bob.who, start.id).complete == false)
        if restarts {
            world = try await world.restarted()
            try await world.expectSound()
        }
        let done = try await world.service.finishPiece(bob.who, start.id)
        #expect(done.complete)
        #expect(try await world.service.readBlob(try #require(done.sha256), offset: 0, count: 5000) == picture)
        try await world.expectSound()
    }

    @Test("announcements are bounded: sizes, names, types, number and bytes together")
    func announcements() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person(
            "bob",
            entitlement: Entitlement(maximumMessageBytes: 1000, quotaBytes: 2500)
        )
        for bytes in [0, -1, .min] as [Int64] {
            await #expect(throws: Refusal(.invalidRequest, "")) {
                try await service.startUpload(bob.who, UploadRequest(type: "image/png", bytes: bytes))
            }
        }
        for bytes in [1001, .max] as [Int64] {
            await #expect(throws: Refusal(.tooLarge, "")) {
                try await service.startUpload(bob.who, UploadRequest(type: "image/png", bytes: bytes))
            }
        }
        for name in ["", "..", "a/b", "a\\b", "a\u{0}", "a\u{202E}gnp.exe"] {
            await #expect(throws: Refusal(.invalidMessage, "")) {
                try await service.startUpload(bob.who, UploadRequest(type: "image/png", name: name, bytes: 1))
            }
        }
        for type in ["", "image", "image/*", "a b/c", "image/png/x"] {
            await #expect(throws: Refusal(.invalidRequest, "")) {
                try await service.startUpload(bob.who, UploadRequest(type: type, bytes: 1))
            }
        }
        let upload = UploadRequest(type: "image/png", bytes: 1000)
        let first = try await service.startUpload(bob.who, upload)
        _ = try await service.startUpload(bob.who, upload)
        await #expect(throws: Refusal(.quotaExceeded, "")) { try await service.startUpload(bob.who, upload) }
        try await service.cancelUpload(bob.who, first.id)
        _ = try await service.startUpload(bob.who, upload)
        let carol = try await world.person("carol")
        for _ in 0..<Limits.uploadsPerAccount {
            _ = try await service.startUpload(carol.who, UploadRequest(type: "image/png", bytes: 1))
        }
        await #expect(throws: Refusal(.tooMany, "")) {
            try await service.startUpload(carol.who, UploadRequest(type: "image/png", bytes: 1))
        }
    }

    @Test("the personal area: files count for the quota, go into messages, and come back after deletion")
    func files() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person(
            "bob",
            devices: [.computer, .mobile],
            entitlement: Entitlement(quotaBytes: 12_000)
        )
        let alice = try await world.person("alice")
        let device = world.connect(bob.devices[1])
        let upload = try await world.upload(bob.who, picture)
        await #expect(throws: Refusal(.notFound, "")) {
            try await service.putFile(alice.who, FileRequest(upload: upload))
        }
        let file = try await service.putFile(bob.who, FileRequest(upload: upload, name: "film.png"))
        #expect(try await service.putFile(bob.who, FileRequest(upload: upload)) == file)
        #expect(try await world.account(bob).used == 5000)
        try await device.settle()
        #expect(device.mirror.items.values.count { $0.kind == "file" } == 1)
        let second = try await world.upload(bob.who, Array(picture.reversed()).dropLast(2000))
        let request = SendRequest(id: try world.newID(), to: [alice.address], parts: [PartRequest(file: file.id)])
        _ = try await service.send(bob.who, request)
        #expect(try await world.account(bob).used == 10_000)
        guard case .blob(let hash, 5000, "image/png", "film.png") = try await service.part(alice.who, request.id, 0)
        else {
            Issue.record("the part is not the file")
            return
        }
        #expect(hash == file.sha256)
        await #expect(throws: Refusal(.quotaExceeded, "")) {
            try await service.putFile(bob.who, FileRequest(upload: second))
        }
        await #expect(throws: Refusal(.notFound, "")) { try await service.deleteFile(alice.who, file.id) }
        try await service.deleteFile(bob.who, file.id)
        await #expect(throws: Refusal(.notFound, "")) { try await service.deleteFile(bob.who, file.id) }
        #expect(try await service.files(bob.who, before: nil, limit: 10).files.isEmpty)
        try await device.settle()
        #expect(device.mirror.items.values.count { $0.kind == "file" } == 0)
        #expect(try await service.putFile(bob.who, FileRequest(upload: second)).name == "picture.png")
        #expect(
            try await service.putFile(alice.who, FileRequest(upload: world.upload(alice.who, picture))).bytes == 5000
        )
        try await world.expectSound()
    }

    @Test("links: signed for one message, expiring, dead with the message, and not to be forged")
    func links() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        var book = RuleBook()
        book.incoming.otherwise = Outcome(.notification)
        _ = try await service.putRules(alice.who, book)
        let one = SendRequest(
            id: try world.newID(),
            to: [alice.address],
            parts: [PartRequest(text: "one"), PartRequest(upload: try await world.upload(bob.who, picture))]
        )
        let two = try world.request("two", to: alice)
        _ = try await service.send(bob.who, one)
        _ = try await service.send(bob.who, two)
        func token(_ id: MessageID) async throws -> String {
            let link = try #require(try await service.message(alice.who, id).notice?.link)
            #expect(link.hasPrefix("http://127.0.0.1:8080/l/"))
            return try #require(link.split(separator: "/").last.map(String.init))
        }
        let (first, second) = (try await token(one.id), try await token(two.id))
        #expect(try await service.openLink(first).parts.first?.text == "one")
        guard case .blob(_, 5000, _, _) = try await service.openLink(first, part: 1) else {
            Issue.record("the second part is no blob")
            return
        }
        await #expect(throws: Refusal(.notFound, "")) { try await service.openLink(first, part: 2) }
        await #expect(throws: Refusal(.notFound, "")) { try await service.openLink(first, part: -1) }
        let fields = first.split(separator: ".", maxSplits: 3).map(String.init)
        var forged = [
            "", ".", "...", "....", first + "x", String(first.dropFirst()), "9." + first,
            [fields[0], fields[1], fields[2], two.id.description].joined(separator: "."),
            [fields[0], "9999999999999", fields[2], fields[3]].joined(separator: "."),
            ["\(bob.id.rawValue)", fields[1], fields[2], fields[3]].joined(separator: "."),
            [fields[0], fields[1], "", fields[3]].joined(separator: "."),
            [fields[0], fields[1], String(fields[2].dropLast(2)), fields[3]].joined(separator: "."),
        ]
        for (offset, character) in first.enumerated() where character != "." && !offset.isMultiple(of: 3) {
            var changed = Array(first)
            changed[offset] = character == "0" ? "1" : "0"
            forged.append(String(changed))
        }
        for token in forged { await #expect(throws: Refusal(.forbidden, "")) { try await service.openLink(token) } }
        _ = try await service.delete(alice.who, DeleteRequest(ids: [one.id], scope: .everywhere))
        await #expect(throws: Refusal(.notFound, "")) { try await service.openLink(first) }
        #expect(try await service.openLink(second).id == two.id)
        world.clock.advance(days: 7)
        await #expect(throws: Refusal(.forbidden, "")) { try await service.openLink(second) }
        // The key outlives the process.
        let fresh = try await token(two.id)
        let restarted = try await world.restarted()
        #expect(try await restarted.service.openLink(fresh).id == two.id)
    }
}
