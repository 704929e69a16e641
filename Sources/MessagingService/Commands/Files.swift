public import ClientWire
import Logging
public import MessagingCore
public import Store
import Synchronization

/// Where a part's bytes are.
public enum PartSource: Sendable {
    case text([UInt8], type: String, name: String?)
    case blob(BlobHash, bytes: Int64, type: String, name: String?)
    /// With another provider, which is asked for each piece.
    case peer(PeerFile)
}

/// A file of a message, for whoever has the link, and until when.
public struct FileLink: Sendable, Hashable {
    public let url: String
    public let until: Timestamp
}

/// One request at a time may write to an upload.
final class UploadLocks: Sendable {
    private let held = Mutex<Set<String>>([])

    func take(_ id: String) -> Bool { held.withLock { $0.insert(id).inserted } }

    func release(_ id: String) { held.withLock { _ = $0.remove(id) } }
}

extension MessagingService {
    static let uploadLeaseMilliseconds: Int64 = 24 * 3_600_000
    static let fileNameFallback = "file"

    /// Announces an upload and returns its handle.
    /// - Throws: ``Refusal`` `too-large`, `quota-exceeded` or `invalid-request`.
    public func startUpload(_ who: DeviceIdentity, _ request: UploadRequest) async throws -> UploadDocument {
        try await startUpload(who, request, as: Self.newUploadName())
    }

    /// 32 hexadecimal digits.
    static func newUploadName() -> String { hexadecimal(randomBytes(16)) }

    func startUpload(_ who: DeviceIdentity, _ request: UploadRequest, as id: String) async throws -> UploadDocument {
        guard let type = canonicalMediaType(request.type), !type.contains("*") else {
            throw Refusal(.invalidRequest, "type: not a media type")
        }
        if let name = request.name { try Envelope.validate(fileName: name) }
        guard request.bytes > 0 else { throw Refusal(.invalidRequest, "bytes: an upload is not empty") }
        return try await perform { work in
            let account = try work.user(who.account).account
            let others = try work.transaction.uploads(of: who.account, limit: Limits.uploadsPerAccount)
            try Self.checkRoom(for: request.bytes, account, beside: others)
            let upload = Upload(
                id: id,
                account: who.account,
                type: type,
                name: request.name,
                bytes: request.bytes,
                leaseEnds: work.now.advanced(by: Self.uploadLeaseMilliseconds)
            )
            try work.transaction.apply(.upload(upload))
            return UploadDocument(upload, offset: 0)
        }
    }

    /// Whether an upload may begin.
    static func checkRoom(for bytes: Int64, _ account: Account, beside others: [Upload]) throws(Refusal) {
        guard bytes <= account.entitlement.maximumMessageBytes else {
            throw Refusal(.tooLarge, "at most \(account.entitlement.maximumMessageBytes) bytes")
        }
        guard account.hasRoom(for: bytes) else {
            throw Refusal(.quotaExceeded, "the account's storage is full")
        }
        guard others.count < Limits.uploadsPerAccount else {
            throw Refusal(.tooMany, "at most \(Limits.uploadsPerAccount) uploads; cancel some or wait")
        }
        // Each is within the quota and none is counted before it is used: they are bounded together.
        var room = account.entitlement.quotaBytes - bytes
        for other in others where room >= 0 { room -= other.bytes }
        guard room >= 0 else {
            throw Refusal(.quotaExceeded, "too many bytes wait as uploads; cancel some or wait")
        }
    }

    /// How far an upload has come.
    /// - Throws: ``Refusal`` `not-found`, also for another account's.
    public func upload(_ who: DeviceIdentity, _ id: String) async throws -> UploadDocument {
        let upload = try await ownUpload(who, id)
        return UploadDocument(upload, offset: try await offset(of: upload))
    }

    /// Appends one piece; the caller sends the pieces of one request in order.
    /// - Returns: the offset after it.
    /// - Throws: ``Refusal`` `conflict` when `offset` is not where the upload stands, `too-large` beyond what was
    ///   announced.
    public func appendUpload(
        _ who: DeviceIdentity,
        _ id: String,
        offset: Int64,
        _ bytes: [UInt8]
    ) async throws -> Int64 {
        let upload = try await ownUpload(who, id)
        guard upload.hash == nil else { throw Refusal(.conflict, "the upload is complete") }
        guard offset >= 0, offset <= upload.bytes - Int64(bytes.count) else {
            throw Refusal(.tooLarge, "more bytes than the \(upload.bytes) announced")
        }
        guard uploadsInHand.take(id) else { throw Refusal(.conflict, "another request is writing to this upload") }
        defer { uploadsInHand.release(id) }
        let size = try await offsetOnDisk(id)
        guard size == offset else { throw Refusal(.conflict, "the upload stands at \(size)") }
        return try await onFiles(id) { try $0.append(toUpload: id, at: offset, bytes) }
    }

    /// Ends a request's pieces: makes them durable, renews the lease, and completes the upload when all is there.
    public func finishPiece(_ who: DeviceIdentity, _ id: String) async throws -> UploadDocument {
        let upload = try await ownUpload(who, id)
        if upload.hash != nil { return UploadDocument(upload, offset: upload.bytes) }
        guard uploadsInHand.take(id) else { throw Refusal(.conflict, "another request is writing to this upload") }
        defer { uploadsInHand.release(id) }
        let size = try await offsetOnDisk(id)
        guard size == upload.bytes else {
            if size > 0 { try await onFiles(id) { try $0.synchronise(upload: id) } }
            return try await renew(upload, hash: nil, offset: size)
        }
        let hash = try await onFiles(id) { try $0.finish(upload: id) }
        let document = try await renew(upload, hash: hash, offset: size)
        try await onFiles(id) { try $0.discard(upload: id) }
        return document
    }

    private func renew(_ upload: Upload, hash: BlobHash?, offset: Int64) async throws -> UploadDocument {
        try await perform { [blobs] work in
            guard var current = try work.transaction.upload(upload.id) else {
                throw Refusal(.notFound, "the upload was cancelled")
            }
            current.leaseEnds = work.now.advanced(by: Self.uploadLeaseMilliseconds)
            if let hash, current.hash == nil {
                guard try blobs.exists(hash) else {
                    throw Refusal(.unavailable, "the upload collided with a clean-up; send it again")
                }
                current.hash = hash
                try work.transaction.apply(.blob(hash, bytes: upload.bytes))
                try work.transaction.apply(.refer(hash, by: 1, at: work.now))
            }
            try work.transaction.apply(.upload(current))
            return UploadDocument(current, offset: offset)
        }
    }

    /// Gives an upload up.
    public func cancelUpload(_ who: DeviceIdentity, _ id: String) async throws {
        let upload = try await ownUpload(who, id)
        guard uploadsInHand.take(id) else { throw Refusal(.conflict, "another request is writing to this upload") }
        defer { uploadsInHand.release(id) }
        try await perform { work in try Self.drop(upload, work) }
        try await onFiles(id) { try $0.discard(upload: id) }
    }

    static func drop(_ upload: Upload, _ work: Work) throws {
        guard let current = try work.transaction.upload(upload.id) else { return }
        if let hash = current.hash { try work.transaction.apply(.refer(hash, by: -1, at: work.now)) }
        try work.transaction.apply(.removeUpload(upload.id))
    }

    // MARK: Personal area

    /// A page of the personal area, newest first.
    public func files(_ who: DeviceIdentity, before: ChangeNumber?, limit: Int) async throws -> FilePage {
        let limit = Self.bounded(limit)
        let items = try await read {
            try $0.list(who.account, Listing(kinds: [.file], before: before ?? .max, limit: limit))
        }
        let files = try items.compactMap { item -> FileDocument? in
            guard case .document(let bytes) = item.body else { return nil }
            return try Documents.decode(FileDocument.self, bytes)
        }
        return FilePage(files: files, next: items.count == limit ? items.last?.created : nil)
    }

    /// A complete upload becomes a file of the personal area.
    public func putFile(_ who: DeviceIdentity, _ request: FileRequest) async throws -> FileDocument {
        if let name = request.name { try Envelope.validate(fileName: name) }
        return try await perform { work in
            var user = try work.user(who.account)
            // Asked again: the file has the upload's id.
            if let existing = try work.transaction.item(who.account, kind: .file, object: request.upload),
                case .document(let bytes) = existing.body
            {
                return try Documents.decode(FileDocument.self, bytes)
            }
            guard let upload = try work.transaction.upload(request.upload), upload.account == who.account else {
                throw Refusal(.notFound, "no such upload")
            }
            guard let hash = upload.hash else { throw Refusal(.invalidRequest, "the upload is not complete") }
            guard user.account.hasRoom(for: upload.bytes) else {
                throw Refusal(.quotaExceeded, "the account's storage is full")
            }
            guard try work.transaction.count(who.account, .file) < Limits.filesPerAccount else {
                throw Refusal(.tooMany, "at most \(Limits.filesPerAccount) files")
            }
            let file = FileDocument(
                id: upload.id,
                name: request.name ?? upload.name ?? Self.fileNameFallback,
                type: upload.type,
                bytes: upload.bytes,
                sha256: hash,
                stored: work.now
            )
            user.account.used += upload.bytes
            try work.transaction.apply(.refer(hash, by: 1, at: work.now))
            try Self.drop(upload, work)
            try work.putDocument(&user, .file, file.id, file)
            work.put(user)
            return file
        }
    }

    /// Where a file's bytes are.
    public func file(_ who: DeviceIdentity, _ id: String) async throws -> PartSource {
        let item = try await read { try $0.item(who.account, kind: .file, object: id) }
        guard case .document(let bytes) = item?.body else { throw Refusal(.notFound, "no such file") }
        let file = try Documents.decode(FileDocument.self, bytes)
        return .blob(file.sha256, bytes: file.bytes, type: file.type, name: file.name)
    }

    /// Removes a file from the personal area.
    public func deleteFile(_ who: DeviceIdentity, _ id: String) async throws {
        try await perform { work in
            var user = try work.user(who.account)
            guard let item = try work.transaction.item(who.account, kind: .file, object: id),
                case .document(let bytes) = item.body
            else { throw Refusal(.notFound, "no such file") }
            let file = try Documents.decode(FileDocument.self, bytes)
            user.account.used -= file.bytes
            try work.transaction.apply(.refer(file.sha256, by: -1, at: work.now))
            _ = try work.removeDocument(&user, .file, id)
            work.put(user)
        }
    }

    // MARK: Parts and links

    /// Where a part's bytes are.
    /// - Throws: ``Refusal`` `not-found` or `no-longer-stored`.
    public func part(_ who: DeviceIdentity, _ id: MessageID, _ index: Int) async throws -> PartSource {
        try Self.source(try await envelope(who.account, id), index)
    }

    /// The message that a notification's link stands for.
    /// - Throws: ``Refusal`` `forbidden` for a forged or expired link, `not-found` once the message is deleted.
    public func openLink(_ token: String) async throws -> Envelope {
        let (account, message) = try links.open(token, now: clock())
        return try await envelope(account, message)
    }

    /// A part of such a message.
    public func openLink(_ token: String, part: Int) async throws -> PartSource {
        try Self.source(try await openLink(token), part)
    }

    /// A link to one file of a message that its sender keeps, for somebody who has no account here.
    /// - Returns: nil when no such link would hold: the sender keeps no copy, or devices reach this server without TLS.
    public func fileLink(to part: Int, of message: MessageID, account: AccountID) async -> FileLink? {
        guard links.base.hasPrefix("https://"), let kept = try? await envelope(account, message),
            kept.parts.indices.contains(part), kept.parts[part].sha256 != nil
        else { return nil }
        let end = clock().advanced(by: configuration.linkLifeMilliseconds)
        let until = kept.expires.map { min($0, end) } ?? end
        return FileLink(
            url: links.fileLink(account: account, message: message, part: part, expires: until),
            until: until
        )
    }

    /// The file that such a link stands for.
    /// - Throws: ``Refusal`` `forbidden` for a forged or expired link, `not-found` once the sender has deleted the message,
    ///   `no-longer-stored` once it has expired.
    public func openFileLink(_ token: String) async throws -> PartSource {
        let (account, message, part) = try links.openFile(token, now: clock())
        let kept = try await envelope(account, message)
        guard kept.expires.map({ $0 > clock() }) ?? true else {
            throw Refusal(.noLongerStored, "the message has expired")
        }
        guard kept.parts.indices.contains(part), kept.parts[part].sha256 != nil else {
            throw Refusal(.notFound, "no such file")
        }
        return try Self.source(kept, part)
    }

    private func envelope(_ account: AccountID, _ id: MessageID) async throws -> Envelope {
        try await read { view in
            guard let message = try view.item(account, kind: .message, object: id.description)?.message else {
                throw Refusal(.notFound, "no such message")
            }
            guard !message.flags.contains(.released), let content = try view.content(message.content) else {
                throw Refusal(.noLongerStored, "the provider no longer stores this message's content")
            }
            return try Documents.decode(Envelope.self, content.document)
        }
    }

    private static func source(_ envelope: Envelope, _ index: Int) throws(Refusal) -> PartSource {
        guard envelope.parts.indices.contains(index) else { throw Refusal(.notFound, "no such part") }
        let part = envelope.parts[index]
        if let hash = part.sha256 { return .blob(hash, bytes: part.bytes, type: part.type, name: part.name) }
        return .text(Array((part.text ?? "").utf8), type: part.type, name: part.name)
    }

    /// A piece of a blob, read off the event loops.
    public func readBlob(_ hash: BlobHash, offset: Int64, count: Int) async throws -> [UInt8] {
        try await onFiles(hash) { try $0.read(hash, offset: offset, count: count) }
    }

    // MARK: Common

    private func ownUpload(_ who: DeviceIdentity, _ id: String) async throws -> Upload {
        guard let upload = try await read({ try $0.upload(id) }), upload.account == who.account else {
            throw Refusal(.notFound, "no such upload")
        }
        return upload
    }

    private func offset(of upload: Upload) async throws -> Int64 {
        upload.hash == nil ? try await offsetOnDisk(upload.id) : upload.bytes
    }

    private func offsetOnDisk(_ id: String) async throws -> Int64 {
        try await onFiles(id) { try $0.size(ofUpload: id) }
    }

    func onFiles<T: Sendable>(
        _ key: some Hashable & Sendable,
        _ body: @escaping @Sendable (any BlobFiles) throws -> T
    ) async throws -> T {
        do {
            return try await files.run(key) { [blobs] in try body(blobs) }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            logger.error("a file operation failed", metadata: ["error": "\(error)"])
            throw Self.refusal(error)
        }
    }
}

extension UploadDocument {
    init(_ upload: Upload, offset: Int64) {
        self.init(
            id: upload.id,
            bytes: upload.bytes,
            offset: offset,
            complete: upload.hash != nil,
            sha256: upload.hash,
            leaseEnds: upload.leaseEnds
        )
    }
}
