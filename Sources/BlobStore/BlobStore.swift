import Crypto
import Glibc
public import MessagingCore
public import Store

/// Blobs as files named by their hash, and uploads on their way to become blobs, in one folder of one file system.
///
/// `blobs/ab/cd/<sha256>` are complete, synced and never written again. `uploads/<id>` grows; when it is finished,
/// `uploads/<id>.sha256` tells its hash and the blob is a second link to the same file, until the upload is discarded.
public final class BlobStore: BlobFiles {
    /// Bytes read at once when a file is hashed or copied.
    static let pieceBytes = 1 << 20

    private let blobs: String
    private let uploads: String

    /// Opens the folder, making it if needed; only the server's own user can look into it.
    /// - Throws: ``StoreError`` when it cannot be made.
    public init(folder: String) throws {
        blobs = folder + "/blobs"
        uploads = folder + "/uploads"
        for path in [folder, blobs, uploads] { try Self.makeFolder(path) }
    }

    // MARK: Uploads

    public func size(ofUpload id: String) throws -> Int64 {
        let path = try path(ofUpload: id)
        guard try Self.exists(path) else { return 0 }
        return try OpenFile(path, O_RDONLY).size()
    }

    public func append(toUpload id: String, at offset: Int64, _ bytes: [UInt8]) throws -> Int64 {
        let file = try OpenFile(try path(ofUpload: id), O_RDWR | O_CREAT)
        let size = try file.size()
        guard size == offset else {
            throw StoreError(.internalInconsistency, "a piece for \(offset) when the upload stands at \(size)")
        }
        try file.write(bytes, at: offset)
        return offset + Int64(bytes.count)
    }

    public func synchronise(upload id: String) throws {
        try OpenFile(try path(ofUpload: id), O_RDONLY).synchronise()
        try Self.synchroniseFolder(uploads)
    }

    public func finish(upload id: String) throws -> BlobHash {
        let path = try path(ofUpload: id)
        let hash: BlobHash
        if let finished = try finishedHash(of: id) {
            hash = finished
        } else {
            let file = try OpenFile(path, O_RDONLY)
            try file.synchronise()
            hash = try Self.hash(file)
            let mark = try OpenFile(path + Self.finishedSuffix, O_RDWR | O_CREAT | O_TRUNC)
            try mark.write(Array(hash.description.utf8), at: 0)
            try mark.synchronise()
            try Self.synchroniseFolder(uploads)
        }
        let blob = try self.path(of: hash)
        let folder = Self.folder(of: blob)
        if try !Self.exists(folder) {
            try Self.makeFolder(Self.folder(of: folder))
            try Self.makeFolder(folder)
            try Self.synchroniseFolder(Self.folder(of: folder))
            try Self.synchroniseFolder(blobs)
        }
        guard link(path, blob) == 0 || errno == EEXIST else { throw OpenFile.failure("link", blob) }
        try Self.synchroniseFolder(folder)
        return hash
    }

    public func discard(upload id: String) throws {
        let path = try path(ofUpload: id)
        try Self.remove(path)
        try Self.remove(path + Self.finishedSuffix)
    }

    public func uploadsOnDisk() throws -> [(id: String, hash: BlobHash?)] {
        try Self.names(in: uploads).filter { !$0.hasSuffix(Self.finishedSuffix) }
            .map { id in (id, try finishedHash(of: id)) }
    }

    public func unfinish(upload id: String) throws {
        guard let hash = try finishedHash(of: id) else { return }
        try unlink(hash)
        try Self.remove(try path(ofUpload: id) + Self.finishedSuffix)
    }

    // MARK: Blobs

    public func read(_ hash: BlobHash, offset: Int64, count: Int) throws -> [UInt8] {
        try OpenFile(try path(of: hash), O_RDONLY).read(at: offset, count: count)
    }

    public func unlink(_ hash: BlobHash) throws { try Self.remove(try path(of: hash)) }

    public func exists(_ hash: BlobHash) throws -> Bool { try Self.exists(try path(of: hash)) }

    /// Bytes of a blob's file.
    /// - Throws: ``StoreError`` `missing` when there is none.
    public func size(of hash: BlobHash) throws -> Int64 { try OpenFile(try path(of: hash), O_RDONLY).size() }

    /// Whether the file still holds what its name says.
    public func isIntact(_ hash: BlobHash) throws -> Bool {
        try Self.hash(try OpenFile(try path(of: hash), O_RDONLY)) == hash
    }

    /// Calls `body` with each blob on disk, in no order.
    public func forEachBlob(_ body: (BlobHash) throws -> Void) throws {
        for first in try Self.names(in: blobs) {
            for second in try Self.names(in: "\(blobs)/\(first)") {
                for name in try Self.names(in: "\(blobs)/\(first)/\(second)") { try body(BlobHash(stored: name)) }
            }
        }
    }

    /// Brings a blob from another folder of blobs, checking it on the way; durable when this returns.
    /// - Throws: ``StoreError`` `corrupt` when the bytes are not what the name says.
    public func copy(_ hash: BlobHash, from other: BlobStore) throws {
        guard try !exists(hash) else { return }
        let id = "copy-" + hash.description
        try? discard(upload: id)
        let source = try OpenFile(try other.path(of: hash), O_RDONLY)
        var offset: Int64 = 0
        while true {
            let piece = try source.read(at: offset, count: Self.pieceBytes)
            if piece.isEmpty { break }
            offset = try append(toUpload: id, at: offset, piece)
        }
        if offset == 0 { _ = try OpenFile(try path(ofUpload: id), O_RDWR | O_CREAT) }
        let copied = try finish(upload: id)
        try discard(upload: id)
        guard copied == hash else {
            try unlink(copied)
            throw StoreError(.corrupt, "blob \(hash) holds other bytes")
        }
    }
}

// MARK: - Paths

extension BlobStore {
    /// Names are made by the server; one that is not of its making is refused before it becomes a path.
    private func path(ofUpload id: String) throws -> String {
        guard !id.isEmpty, id.utf8.count <= 80, id.utf8.allSatisfy(Self.isPlain) else {
            throw StoreError(.internalInconsistency, "not the name of an upload")
        }
        return "\(uploads)/\(id)"
    }

    private func path(of hash: BlobHash) throws -> String {
        let text = hash.description
        guard text.utf8.count == 64, text.utf8.allSatisfy(Self.isPlain) else {
            throw StoreError(.internalInconsistency, "not the name of a blob")
        }
        return "\(blobs)/\(text.prefix(2))/\(text.dropFirst(2).prefix(2))/\(text)"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
    }

    static let finishedSuffix = ".sha256"

    /// What a finished upload became; a mark that a crash tore counts as none.
    private func finishedHash(of id: String) throws -> BlobHash? {
        let path = try path(ofUpload: id) + Self.finishedSuffix
        guard try Self.exists(path) else { return nil }
        let hash = BlobHash(
            stored: String(decoding: try OpenFile(path, O_RDONLY).read(at: 0, count: 64), as: UTF8.self)
        )
        return hash.description.utf8.count == 64 ? hash : nil
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

// MARK: - System calls

extension BlobStore {
    private static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw OpenFile.failure("mkdir", path) }
    }

    private static func exists(_ path: String) throws -> Bool {
        if access(path, F_OK) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw OpenFile.failure("access", path) }
        return false
    }

    private static func remove(_ path: String) throws {
        guard Glibc.unlink(path) == 0 || errno == ENOENT else { throw OpenFile.failure("unlink", path) }
    }

    private static func synchroniseFolder(_ path: String) throws {
        try OpenFile(path, O_RDONLY | O_DIRECTORY).synchronise()
    }

    private static func names(in folder: String) throws -> [String] {
        guard let handle = opendir(folder) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw OpenFile.failure("opendir", folder)
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func hash(_ file: borrowing OpenFile) throws -> BlobHash {
        var hash = SHA256()
        var offset: Int64 = 0
        while true {
            let piece = try file.read(at: offset, count: pieceBytes)
            if piece.isEmpty { break }
            hash.update(data: piece)
            offset += Int64(piece.count)
        }
        let digits = Array("0123456789abcdef".utf8)
        let text = hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return BlobHash(stored: String(decoding: text, as: UTF8.self))
    }
}
