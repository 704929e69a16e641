import ClientWire
import FoundationEssentials
import Glibc
import MessagingCore

/// The local mailbox on disk: the server's frames as they came, synced before they are acknowledged.
///
/// A record is its length and checksum (4 bytes each, little endian), a kind, and JSON. What a crash tore off at the
/// end is cut away when the journal is opened; the server sends it again, for it was not acknowledged. When most of
/// the file is history, it is written anew as one snapshot, beside the old one, and renamed.
public final class MailboxJournal {
    private enum Kind: UInt8 {
        case frame = 1
        case snapshot = 2
    }

    static let headBytes = 9
    static let recordLimit = 64 << 20
    /// Below this a journal is not worth rewriting.
    static let smallBytes = 256 << 10

    private let path: String
    private var descriptor: CInt = -1
    private var size = 0
    private var snapshotBytes = 0
    public private(set) var mailbox = LocalMailbox()

    /// Opens or makes a journal and reads it.
    /// - Throws: ``ClientError`` `storage` when the file cannot be used, or another process uses it.
    public init(path: String) throws {
        self.path = path
        try open()
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private func open() throws {
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be opened") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            descriptor = -1
            throw ClientError.storage("this device is in use by another program (\(path))")
        }
        guard let data = FileManager.default.contents(atPath: path) else { throw failure("cannot be read") }
        size = replay(Array(data))
        if size < data.count {
            guard ftruncate(descriptor, off_t(size)) == 0 else { throw failure("cannot be mended") }
        }
    }

    /// Reads records until the end or the first that is not whole.
    /// - Returns: the bytes that are good.
    private func replay(_ bytes: [UInt8]) -> Int {
        var position = 0
        while bytes.count - position >= Self.headBytes {
            let length = Int(Self.word(bytes, position))
            let end = position + Self.headBytes + length
            guard length <= Self.recordLimit, end <= bytes.count else { break }
            let payload = bytes[(position + Self.headBytes - 1)..<end]
            guard Self.checksum(payload) == Self.word(bytes, position + 4),
                let kind = Kind(rawValue: bytes[position + 8])
            else { break }
            let data = Data(payload.dropFirst())
            switch kind {
            case .frame:
                guard let frame = try? StrictJSON.decode(ServerFrame.self, from: data) else { return position }
                _ = mailbox.apply(frame)
            case .snapshot:
                guard let snapshot = try? StrictJSON.decode(LocalMailbox.Snapshot.self, from: data) else {
                    return position
                }
                mailbox = LocalMailbox(snapshot)
                snapshotBytes = end - position
            }
            position = end
        }
        return position
    }

    /// Takes a frame into the mailbox and the file; ``synchronise()`` makes it durable.
    func append(_ frame: ServerFrame, _ text: some Collection<UInt8>) throws -> [LocalMailbox.Event] {
        try write(.frame, Array(text))
        return mailbox.apply(frame)
    }

    /// Makes durable what was appended; only then may it be acknowledged.
    func synchronise() throws {
        if size > max(Self.smallBytes, 4 * snapshotBytes) { try compact() }
        guard fdatasync(descriptor) == 0 else { throw failure("cannot be synced") }
    }

    private func compact() throws {
        let fresh = path + ".new"
        let old = descriptor
        let oldSize = size
        descriptor = Glibc.open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        do {
            guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw failure("cannot be rewritten")
            }
            size = 0
            try write(.snapshot, Array(try StrictJSON.encode(mailbox.snapshot)))
            guard fsync(descriptor) == 0, rename(fresh, path) == 0 else { throw failure("cannot be rewritten") }
        } catch {
            // The old file is whole; it grows on.
            if descriptor >= 0 { close(descriptor) }
            descriptor = old
            size = oldSize
            return
        }
        snapshotBytes = size
        close(old)
    }

    private func write(_ kind: Kind, _ body: [UInt8]) throws {
        let payload = [kind.rawValue] + body
        var record: [UInt8] = []
        record.reserveCapacity(payload.count + 8)
        withUnsafeBytes(of: UInt32(body.count).littleEndian) { record.append(contentsOf: $0) }
        withUnsafeBytes(of: Self.checksum(payload[...]).littleEndian) { record.append(contentsOf: $0) }
        record += payload
        guard pwrite(descriptor, record, record.count, off_t(size)) == record.count else {
            let failure = failure("cannot be written")
            ftruncate(descriptor, off_t(size))
            throw failure
        }
        size += record.count
    }

    private static func word(_ bytes: [UInt8], _ position: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << (8 * UInt32($1)) }
    }

    /// FNV-1a: tells a torn record from a whole one; nobody else writes this file.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
    }

    private func failure(_ what: String) -> ClientError {
        .storage("\(path) \(what): \(String(cString: strerror(errno)))")
    }
}
