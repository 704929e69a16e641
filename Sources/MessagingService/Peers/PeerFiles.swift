import ClientWire
public import MessagingCore
import Store

/// A file of another provider's message on its way in: an upload of the user it is for, counted as that user's.
public struct IncomingFile: Sendable, Hashable {
    var owner: DeviceIdentity
    var upload: String
}

/// Files that come from other providers, in front of the message that they are parts of.
extension MessagingService {
    /// Begins the names of uploads that are parts of other providers' messages; no hexadecimal digit.
    private static let peerUpload = "peer-"

    /// Gives up what a stop cut off, before anything comes: whoever sent it begins again, and nobody else can go on with it. It
    /// would take its receiver's room until its lease ended.
    public func dropCutOffFiles() async throws {
        let uploads = try await read { try $0.uploads(leaseEndedBy: .distantFuture, limit: .max) }
        for upload in uploads where upload.id.hasPrefix(Self.peerUpload) {
            let owner = DeviceIdentity(account: upload.account, device: DeviceID(rawValue: 0))
            // What cannot be given up now the sweeper has, or will have when its lease ends.
            try? await cancelUpload(owner, upload.id)
        }
    }

    /// Makes room for a file.
    /// - Throws: ``Refusal`` `not-found` when the receiver is nobody here, and as ``startUpload(_:_:)``.
    public func startFile(
        for receiver: Address,
        type: String,
        name: String?,
        bytes: Int64
    ) async throws -> IncomingFile {
        let account = try await read { try $0.account(holding: receiver) }
        guard let account else { throw Refusal(.notFound, "\(receiver): no such user") }
        // No device of the user takes part in this.
        let owner = DeviceIdentity(account: account, device: DeviceID(rawValue: 0))
        let request = UploadRequest(type: type, name: name, bytes: bytes)
        let upload = try await startUpload(owner, request, as: Self.peerUpload + Self.newUploadName())
        return IncomingFile(owner: owner, upload: upload.id)
    }

    /// Whether an address is a user's of this provider.
    public func knows(_ address: Address) async throws -> Bool {
        try await read { try $0.account(holding: address) } != nil
    }

    /// Whether a file could be taken for a user as things are, before any of it comes.
    /// - Throws: ``Refusal`` as ``startFile(for:type:name:bytes:)``.
    public func checkRoom(for receiver: Address, bytes: Int64) async throws {
        try await read { view in
            guard let id = try view.account(holding: receiver), let user = try view.user(id) else {
                throw Refusal(.notFound, "\(receiver): no such user")
            }
            let others = try view.uploads(of: id, limit: Limits.uploadsPerAccount)
            try Self.checkRoom(for: bytes, user.account, beside: others)
        }
    }

    /// Takes the next octets of it.
    /// - Returns: the offset after them.
    public func append(_ bytes: [UInt8], to file: IncomingFile, at offset: Int64) async throws -> Int64 {
        try await appendUpload(file.owner, file.upload, offset: offset, bytes)
    }

    /// All of it is there and durable.
    /// - Throws: ``Refusal`` `invalid-message` when it is shorter than was said.
    public func finish(_ file: IncomingFile) async throws -> BlobHash {
        guard let hash = try await finishPiece(file.owner, file.upload).sha256 else {
            throw Refusal(.invalidMessage, "a file is shorter than was said")
        }
        return hash
    }

    /// Gives up what was not used.
    public func drop(_ file: IncomingFile) async { try? await cancelUpload(file.owner, file.upload) }

    /// The messages hold the bytes now.
    static func drop(_ files: [IncomingFile], _ work: Work) throws {
        for file in files {
            if let upload = try work.transaction.upload(file.upload) { try drop(upload, work) }
        }
    }
}
