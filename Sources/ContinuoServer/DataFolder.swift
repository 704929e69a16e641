import Crypto
import FoundationEssentials
import Glibc

/// Where a server keeps everything, held by one process at a time.
public final class DataFolder: Sendable {
    public let path: String
    private let lock: CInt

    public var database: String { path + "/continuo.sqlite" }
    public var files: String { path + "/files" }
    /// Holds the token of the operator's interface, readable by the server's user alone.
    public var operatorTokenFile: String { path + "/operator-token" }

    /// Opens the folder, making it if needed, and takes its lock.
    /// - Throws: ``DataFolderError`` when it cannot be used, or another process holds it.
    public init(_ path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw DataFolderError(path: path, problem: "cannot be made", mend: "give a folder that can be written to")
        }
        lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw DataFolderError(
                path: path,
                problem: "cannot be written to: \(String(cString: strerror(errno)))",
                mend: "check its rights and the disk"
            )
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(lock)
            throw DataFolderError(
                path: path,
                problem: "is in use by another server",
                mend: "stop that one first, or give this one a folder of its own"
            )
        }
    }

    deinit { Glibc.close(lock) }

    /// Sees to it that no other user of the machine reads the database, whatever the folder's rights are: it holds what
    /// phones and people prove themselves with. SQLite gives its other files the rights of this one.
    /// - Throws: ``DataFolderError`` when it cannot be made.
    func guardDatabase() throws {
        let descriptor = open(database, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DataFolderError(
                path: database,
                problem: "cannot be written to",
                mend: "check its rights and the disk"
            )
        }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return }
        // A group may be let in by whoever runs the server.
        fchmod(descriptor, status.st_mode & 0o770)
        for suffix in ["-wal", "-shm"] { chmod(database + suffix, status.st_mode & 0o770) }
    }

    /// The operator's token; made on first use.
    public func operatorToken() throws -> String {
        if let token = Self.readToken(operatorTokenFile) { return token }
        let token = SymmetricKey(size: .bits256).withUnsafeBytes { bytes in
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let fresh = operatorTokenFile + ".new"
        guard
            FileManager.default.createFile(
                atPath: fresh,
                contents: Data((token + "\n").utf8),
                attributes: [.posixPermissions: 0o600]
            ), rename(fresh, operatorTokenFile) == 0
        else {
            throw DataFolderError(path: fresh, problem: "cannot be written", mend: "check the folder's rights")
        }
        return token
    }

    /// Reads a token file; nil when there is none.
    public static func readToken(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let token = String(decoding: data, as: UTF8.self).filter { !$0.isWhitespace }
        return token.isEmpty ? nil : token
    }
}

/// Why a data folder cannot be used, and what to do.
public struct DataFolderError: Error, CustomStringConvertible, Sendable {
    public var path: String
    public var problem: String
    public var mend: String

    public var description: String { "\(path) \(problem)\n    \(mend)" }
}
