import BlobStore
import ClientWire
import Foundation
import Logging
import MessagingCore
import MessagingService
import SQLiteStore
import Store
import Synchronization

/// A provider over the real store and real files, with a clock that the test turns.
final class Provider: Sendable {
    static let password = "correct-horse-battery-staple"

    let folder: String
    let store: SQLiteStore
    let blobs: BlobStore
    let service: MessagingService
    let clock: TestClock

    init(folder: String? = nil, clock: TestClock = TestClock()) async throws {
        let path =
            folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("p-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.folder = path
        self.clock = clock
        store = try SQLiteStore(path: path + "/s.sqlite")
        blobs = try BlobStore(folder: path + "/files")
        service = try await MessagingService(
            store: store,
            blobs: blobs,
            configuration: ServiceConfiguration(domains: ["a.example"], passwordCost: 10),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: { clock.now }
        )
    }

    deinit {
        try? store.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func account(
        _ addresses: String...,
        balance: Int64 = 1000,
        entitlement: Entitlement? = nil
    ) async throws -> AccountID {
        try await service.createAccount(
            AccountRequest(
                name: "someone",
                addresses: try addresses.map { try Address($0) },
                password: Self.password,
                balance: balance,
                entitlement: entitlement
            )
        ).id
    }

    func device(_ address: String, _ kind: DeviceKind = .computer) async throws -> DeviceIdentity {
        try await service.authenticate(token: try await token(address, kind))
    }

    func token(_ address: String, _ kind: DeviceKind = .computer) async throws -> String {
        let description = DeviceDescription(kind: kind, label: "a \(kind.rawValue)")
        let request = LoginRequest(address: try Address(address), password: Self.password, device: description)
        return try await service.login(request).token
    }

    /// A request for a text message with an id made now.
    func text(_ text: String, to receivers: String..., reports: [Report] = []) throws -> SendRequest {
        SendRequest(
            id: clock.newID(),
            to: try receivers.map { try Address($0) },
            parts: [PartRequest(text: text)],
            reports: reports
        )
    }

    /// A complete upload.
    func upload(_ who: DeviceIdentity, _ bytes: [UInt8], type: String = "image/png") async throws -> String {
        let upload = try await service.startUpload(
            who,
            UploadRequest(type: type, name: "x.png", bytes: Int64(bytes.count))
        )
        _ = try await service.appendUpload(who, upload.id, offset: 0, bytes)
        _ = try await service.finishPiece(who, upload.id)
        return upload.id
    }

    func inbox(_ who: DeviceIdentity) async throws -> [ItemDocument] {
        try await service.messages(who, Listing(kinds: [.message], box: .inbox, limit: 100)).items
    }

    func sent(_ who: DeviceIdentity) async throws -> [ItemDocument] {
        try await service.messages(who, Listing(kinds: [.message], box: .sent, limit: 100)).items
    }
}

/// A part that stands for an upload.
func part(upload: String) -> PartRequest {
    var part = PartRequest(text: "")
    part.text = nil
    part.type = nil
    part.upload = upload
    return part
}

/// A clock that stands still until it is turned, also backwards.
final class TestClock: Sendable {
    private let time = Mutex(Timestamp(rawValue: 1_790_000_000_000))
    private let made = Atomic<UInt64>(0)

    var now: Timestamp { time.withLock { $0 } }

    func turn(by milliseconds: Int64) { time.withLock { $0 = $0.advanced(by: milliseconds) } }

    /// A UUID of version 7 of this moment.
    func newID() -> MessageID {
        let number = made.add(1, ordering: .relaxed).newValue
        let text = String(UInt64(now.rawValue), radix: 16)
        let time = String(repeating: "0", count: 12 - text.count) + text
        let tail = String(number, radix: 16)
        let digits = String(repeating: "0", count: 12 - tail.count) + tail
        return MessageID(stored: "\(time.prefix(8))-\(time.suffix(4))-7000-8000-\(digits)")
    }
}

extension ItemDocument {
    var texts: [String] { message?.parts.compactMap(\.text) ?? [] }
    var states: [String] { receivers?.map(\.state) ?? [] }
}
