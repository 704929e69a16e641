import BlobStore
import ClientWire
import Foundation
import MessagingCore
import MessagingService
import Store
import Testing

@Suite("A message's life")
struct LifecycleTests {
    /// Bob and Alice, two devices each.
    private func pair() async throws -> (Provider, bob: DeviceIdentity, alice: DeviceIdentity, other: DeviceIdentity) {
        let provider = try await Provider()
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example", "alice.work@a.example")
        return (
            provider, try await provider.device("bob@a.example"), try await provider.device("alice@a.example", .mobile),
            try await provider.device("alice@a.example")
        )
    }

    @Test("reports are told once each, only if asked for and allowed")
    func reports() async throws {
        let (provider, bob, alice, other) = try await pair()
        let service = provider.service
        let asked = try await service.send(
            bob,
            try provider.text("a", to: "alice@a.example", reports: [.delivered, .displayed])
        )
        let quiet = try await service.send(bob, try provider.text("b", to: "alice@a.example"))
        _ = try await service.fetch(alice, asked.id)
        #expect(try await service.message(bob, asked.id).states == ["delivered"])
        #expect(try await service.markRead(alice, ReadRequest(ids: [asked.id, quiet.id])).changed == 2)
        #expect(try await service.markRead(other, ReadRequest(ids: [asked.id, quiet.id])).changed == 0)
        #expect(try await service.message(bob, asked.id).states == ["displayed"])
        #expect(try await service.message(bob, quiet.id).states == ["pending"])
        var settings = AccountSettings()
        settings.tellDisplayed = false
        _ = try await service.putSettings(alice, settings)
        let hidden = try await service.send(bob, try provider.text("c", to: "alice@a.example", reports: [.displayed]))
        _ = try await service.markRead(alice, ReadRequest(ids: [hidden.id]))
        #expect(try await service.message(bob, hidden.id).states == ["pending"])
    }

    @Test("deleting and reading the same message at once, in both orders")
    func deleteAndRead() async throws {
        let (provider, bob, alice, other) = try await pair()
        let service = provider.service
        let one = try await service.send(bob, try provider.text("one", to: "alice@a.example")).id
        let two = try await service.send(bob, try provider.text("two", to: "alice@a.example")).id
        #expect(try await service.markRead(alice, ReadRequest(ids: [one])).changed == 1)
        #expect(try await service.delete(other, DeleteRequest(ids: [one], scope: .everywhere)).changed == 1)
        #expect(try await service.delete(other, DeleteRequest(ids: [two], scope: .everywhere)).changed == 1)
        // Reading what is gone, and deleting it again, are told as what they are: nothing to do.
        let read = try? await service.markRead(alice, ReadRequest(ids: [two])).changed
        #expect(read == nil || read == 0)
        let again = try? await service.delete(alice, DeleteRequest(ids: [two], scope: .everywhere)).changed
        #expect(again == nil || again == 0)
        #expect(try await provider.inbox(alice).isEmpty)
        // Racing: whichever comes first, the message ends deleted, and nothing is told twice.
        for number in 0..<20 {
            let id = try await service.send(bob, try provider.text("race \(number)", to: "alice@a.example")).id
            async let reading = try? service.markRead(alice, ReadRequest(ids: [id])).changed
            async let deleting = try service.delete(other, DeleteRequest(ids: [id], scope: .everywhere)).changed
            _ = await reading
            #expect(try await deleting == 1)
            await #expect(throws: Refusal(.notFound, "")) { try await service.message(alice, id) }
        }
    }

    @Test("deleted here: lowered on this device alone, and fetched again")
    func here() async throws {
        let (provider, bob, alice, other) = try await pair()
        let service = provider.service
        let id = try await service.send(bob, try provider.text("keep", to: "alice@a.example")).id
        #expect(try await service.delete(alice, DeleteRequest(ids: [id], scope: .here)).changed == 1)
        #expect(try await service.message(alice, id).deliver == .notification)
        #expect(try await service.message(alice, id).message == nil)
        #expect(try await service.message(alice, id).notice?.link.isEmpty == false)
        #expect(try await service.message(other, id).texts == ["keep"])
        #expect(try await service.fetch(alice, id).texts == ["keep"])
        #expect(try await service.message(alice, id).deliver == .whole)
    }

    @Test("retention releases content after its days; devices keep what they hold, the envelope stays")
    func retention() async throws {
        let (provider, bob, alice, _) = try await pair()
        let service = provider.service
        _ = try await service.putOperatorSettings(OperatorSettings(retentionDays: 2))
        let old = try await service.send(bob, try provider.text("old", to: "alice@a.example")).id
        provider.clock.turn(by: 2 * 86_400_000 + 1000)
        let new = try await service.send(bob, try provider.text("new", to: "alice@a.example")).id
        try await service.sweep()
        #expect(try await service.message(alice, old).released == true)
        #expect(try await service.message(alice, new).texts == ["new"])
        await #expect(throws: Refusal(.noLongerStored, "")) { try await service.fetch(alice, old) }
        await #expect(throws: Refusal(.noLongerStored, "")) { try await service.part(alice, old, 0) }
        // An operator who wants it gone on devices too gets tombstones.
        _ = try await service.putOperatorSettings(OperatorSettings(retentionDays: 1, retentionAlsoOnDevices: true))
        provider.clock.turn(by: 86_400_000 + 1000)
        try await service.sweep()
        await #expect(throws: Refusal(.notFound, "")) { try await service.message(alice, new) }
    }

    @Test("blobs: one file for the same bytes, gone with the last message after a grace, and never too early")
    func blobs() async throws {
        let (provider, bob, alice, _) = try await pair()
        let service = provider.service
        let bytes = (0..<5000).map { UInt8($0 % 251) }
        var request = try provider.text("two pictures", to: "alice@a.example")
        request.parts += [
            part(upload: try await provider.upload(bob, bytes)), part(upload: try await provider.upload(bob, bytes)),
        ]
        let answer = try await service.send(bob, request)
        let hash = try #require(try await service.message(alice, answer.id).message?.parts.last?.sha256)
        #expect(try await service.message(alice, answer.id).message?.parts.count == 3)
        #expect(try provider.blobs.isIntact(hash))
        // Content is stored once and names the blob twice; each upload holds it until its lease ends.
        let record = try await provider.store.read { try $0.blob(hash) }
        #expect(record?.references == 4)
        guard case .blob(let found, let size, let type, _) = try await service.part(alice, answer.id, 1) else {
            Issue.record("a picture is a blob")
            return
        }
        #expect(found == hash && size == 5000 && type == "image/png")
        #expect(try await service.readBlob(hash, offset: 4000, count: 9000) == Array(bytes[4000...]))

        _ = try await service.delete(alice, DeleteRequest(ids: [answer.id], scope: .everywhere))
        provider.clock.turn(by: 25 * 3_600_000)
        try await service.sweep()
        provider.clock.turn(by: 120_000)
        try await service.sweep()
        // Bob's copy still shows it.
        #expect(try provider.blobs.exists(hash))
        _ = try await service.delete(bob, DeleteRequest(ids: [answer.id], scope: .everywhere))
        try await service.sweep()
        #expect(try provider.blobs.exists(hash))
        #expect(try await provider.store.read { try $0.blob(hash) }?.references == 0)
        // Within the grace the same bytes revive it.
        let again = try await provider.upload(bob, bytes)
        provider.clock.turn(by: 120_000)
        try await service.sweep()
        #expect(try provider.blobs.exists(hash))
        try await service.cancelUpload(bob, again)
        provider.clock.turn(by: 120_000)
        try await service.sweep()
        #expect(try !provider.blobs.exists(hash))
        #expect(try await provider.store.read { try $0.blob(hash) } == nil)
        #expect(try await service.account(bob).usedBytes == 0)
        #expect(try await service.account(alice).usedBytes == 0)
    }

    @Test("files of the personal area count, are sent along, and can be removed")
    func personalArea() async throws {
        let (provider, bob, alice, _) = try await pair()
        let service = provider.service
        let upload = try await provider.upload(bob, Array("a film".utf8), type: "video/mp4")
        let file = try await service.putFile(bob, FileRequest(upload: upload, name: "film.mp4"))
        #expect(try await service.putFile(bob, FileRequest(upload: upload, name: "film.mp4")) == file)
        #expect(try await service.account(bob).usedBytes == 6)
        var request = try provider.text("see", to: "alice@a.example")
        var filePart = part(upload: "")
        filePart.upload = nil
        filePart.file = file.id
        request.parts.append(filePart)
        let id = try await service.send(bob, request).id
        try await service.deleteFile(bob, file.id)
        await #expect(throws: Refusal(.notFound, "")) { try await service.file(bob, file.id) }
        #expect(try await service.message(alice, id).message?.parts.last?.name == "film.mp4")
        #expect(try provider.blobs.exists(file.sha256))
        await #expect(throws: Refusal(.notFound, "")) { try await service.putFile(alice, FileRequest(upload: upload)) }
        await #expect(throws: Refusal(.invalidMessage, "")) {
            try await service.startUpload(bob, UploadRequest(type: "image/png", name: "../../etc/passwd", bytes: 5))
        }
    }

    @Test("a signed link serves the message; forged, altered and expired ones do not")
    func links() async throws {
        let (provider, bob, alice, _) = try await pair()
        let service = provider.service
        let id = try await service.send(bob, try provider.text("linked", to: "alice@a.example")).id
        _ = try await service.delete(alice, DeleteRequest(ids: [id], scope: .here))
        let link = try #require(try await service.message(alice, id).notice?.link)
        let token = try #require(link.split(separator: "/").last.map(String.init))
        #expect(try await service.openLink(token).parts.first?.text == "linked")
        for place in [0, token.count / 2, token.count - 1] {
            var forged = Array(token)
            forged[place] = forged[place] == "A" ? "B" : "A"
            await #expect(throws: Refusal.self) { try await service.openLink(String(forged)) }
        }
        provider.clock.turn(by: 8 * 86_400_000)
        await #expect(throws: Refusal(.forbidden, "")) { try await service.openLink(token) }
    }

    @Test("search finds what is indexed and what is not yet, never what is deleted or another's")
    func search() async throws {
        let (provider, bob, alice, _) = try await pair()
        let service = provider.service
        let one = try await service.send(bob, try provider.text("the old harbour", to: "alice@a.example")).id
        try await service.sweep()
        let two = try await service.send(bob, try provider.text("the new harbour", to: "alice@a.example")).id
        _ = try await service.send(bob, try provider.text("harbour for me", to: "bob@a.example"))
        func found(_ who: DeviceIdentity, _ words: String) async throws -> [String] {
            try await service.search(who, words, before: nil, limit: 10).items.map(\.id)
        }
        #expect(try await found(alice, "harbour") == [two.description, one.description])
        let prefixed = try await found(alice, "old HARB")
        #expect(prefixed == [one.description], "\(prefixed) \(one) \(two)")
        #expect(try await found(bob, "harbour").count == 3)
        _ = try await service.delete(alice, DeleteRequest(ids: [one, two], scope: .everywhere))
        #expect(try await found(alice, "harbour").isEmpty)
        try await service.sweep()
        #expect(try await found(bob, "harbour").count == 3)
    }

    @Test("a revoked device and a suspended account are out at once, also where their token was in use")
    func revoked() async throws {
        let (provider, _, alice, _) = try await pair()
        let service = provider.service
        let token = try await provider.token("alice@a.example")
        let device = try await service.authenticate(token: token)
        try await service.revokeDevice(alice.account, device.device)
        await #expect(throws: Refusal(.unauthenticated, "")) { try await service.authenticate(token: token) }
        let second = try await provider.token("alice@a.example")
        _ = try await service.authenticate(token: second)
        var change = AccountChange()
        change.suspended = true
        _ = try await service.changeAccount(alice.account, change)
        await #expect(throws: Refusal(.notEntitled, "")) { try await service.authenticate(token: second) }
        change.suspended = false
        _ = try await service.changeAccount(alice.account, change)
        _ = try await service.authenticate(token: second)
    }

    @Test("a server that is opened again over the same files has everything, and an upload goes on where it stood")
    func restart() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("p-\(UUID().uuidString)").path
        let clock = TestClock()
        var first: Provider? = try await Provider(folder: folder, clock: clock)
        _ = try await first?.account("bob@a.example")
        let token = try #require(try await first?.token("bob@a.example"))
        let bob = try #require(try await first?.service.authenticate(token: token))
        let request = try #require(try first?.text("before", to: "bob@a.example"))
        _ = try await first?.service.send(bob, request)
        let upload = try #require(
            try await first?.service.startUpload(bob, UploadRequest(type: "image/png", bytes: 10))
        )
        _ = try await first?.service.appendUpload(bob, upload.id, offset: 0, [1, 2, 3, 4])
        // A crash after the bytes became a blob and before its row: a file that no row names.
        let lost = try #require(try await first?.service.startUpload(bob, UploadRequest(type: "image/png", bytes: 3)))
        _ = try await first?.service.appendUpload(bob, lost.id, offset: 0, [7, 7, 7])
        let orphan = try #require(try first?.blobs.finish(upload: lost.id))
        let copy = folder + "-copy"
        try FileManager.default.copyItem(atPath: folder, toPath: copy)
        first = nil

        let provider = try await Provider(folder: copy, clock: clock)
        let service = provider.service
        let again = try await service.authenticate(token: token)
        #expect(again == bob)
        #expect(try await service.send(bob, request).repeated)
        #expect(try await provider.inbox(bob).map(\.texts) == [["before"]])
        #expect(try await service.upload(bob, upload.id).offset == 4)
        _ = try await service.appendUpload(bob, upload.id, offset: 4, [5, 6, 7, 8, 9, 10])
        #expect(try await service.finishPiece(bob, upload.id).complete)
        #expect(try !provider.blobs.exists(orphan))
        #expect(try await service.finishPiece(bob, lost.id).sha256 == orphan)
        #expect(try provider.blobs.isIntact(orphan))
    }
}
