import BlobStore
import FoundationEssentials
import Glibc
import MessagingCore
import MessagingService
import NIOPosix
import SQLiteStore
import Store
import Synchronization

/// What a backup holds, as its `backup.json` says; written last, so that a backup without it is incomplete.
public struct BackupManifest: Codable, Sendable, Equatable {
    public var version = 1
    /// Milliseconds since 1970.
    public var time: Int64
    public var blobs: Int
    public var blobBytes: Int64

    static let file = "backup.json"
}

/// Why a backup or a restore was not done, and what to do.
public struct BackupError: Error, CustomStringConvertible, Sendable {
    public var problem: String
    public var mend: String

    public var description: String { "\(problem)\n    \(mend)" }
}

extension ContinuoServer {
    /// Copies database and blobs to a new folder while the server goes on, and verifies the copy; what fails leaves nothing.
    ///
    /// The database is one consistent state; blobs that it names are kept from burial until they are copied.
    /// - Throws: ``BackupError`` when the folder is not empty or another backup is under way, ``StoreError`` when copying or verifying fails.
    public func backup(to path: String) async throws {
        guard backupUnderWay.exchange(true, ordering: .acquiringAndReleasing) == false else {
            throw BackupError(problem: "a backup is under way", mend: "wait until it is complete")
        }
        defer { backupUnderWay.store(false, ordering: .releasing) }
        try Self.requireEmpty(path)
        let wasThere = FileManager.default.fileExists(atPath: path)
        do {
            try await copyAll(to: path)
        } catch {
            try? await Self.onThread {
                for name in Self.parts { try? FileManager.default.removeItem(atPath: path + "/" + name) }
                if !wasThere { rmdir(path) }
            }
            throw error
        }
    }

    /// What a backup is made of.
    private static let parts =
        ["", "-wal", "-shm", "-journal"].map { "continuo.sqlite" + $0 } + ["files", BackupManifest.file]

    private func copyAll(to path: String) async throws {
        let store = store
        let blobs = blobs
        try await service.keepingBlobs {
            try await Self.onThread {
                try FileManager.default.createDirectory(
                    atPath: path,
                    withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700]
                )
                try store.backup(to: path + "/continuo.sqlite")
                // Also in a folder that was there before, and that others may look into.
                chmod(path + "/continuo.sqlite", 0o600)
            }
            let copy = try SQLiteStore(path: path + "/continuo.sqlite")
            try copy.checkIntegrity()
            let target = try BlobStore(folder: path + "/files")
            let (count, bytes) = try await Self.copyBlobs(of: copy, from: blobs, to: target)
            try copy.close()
            let manifest = BackupManifest(time: Timestamp.wallClock().rawValue, blobs: count, blobBytes: bytes)
            let file = path + "/" + BackupManifest.file
            try Self.write(try JSONEncoder().encode(manifest), to: file)
            guard Self.synchronise(file), Self.synchronise(path) else {
                throw BackupError(problem: "\(path) cannot be written", mend: "check rights and space")
            }
        }
    }

    /// Makes a data folder of a backup: verified, and with new epochs, since devices may be ahead of it.
    /// - Throws: ``BackupError`` when there is no whole backup or the folder holds data; ``StoreError`` when the
    ///   backup is damaged.
    public static func restore(from path: String, to data: String) async throws -> BackupManifest {
        guard let bytes = FileManager.default.contents(atPath: path + "/" + BackupManifest.file),
            let manifest = try? JSONDecoder().decode(BackupManifest.self, from: bytes)
        else {
            throw BackupError(
                problem: "\(path) is no complete backup",
                mend: "give a folder that 'continuo backup' has finished"
            )
        }
        guard manifest.version == 1 else {
            throw BackupError(problem: "\(path) was made by a newer Continuo", mend: "restore it with that version")
        }
        // A log that a crash left would be replayed over the restored database: it goes with the database that it belongs to.
        let old = ["", "-wal", "-shm"].map { "continuo.sqlite" + $0 }
            .filter { FileManager.default.fileExists(atPath: data + "/" + $0) }
        guard old.isEmpty else {
            throw BackupError(
                problem: "\(data) holds a database already: \(old.joined(separator: ", "))",
                mend: "move all of it away, or restore to another folder; nothing is overwritten"
            )
        }
        let folder = try DataFolder(data)
        let fresh = folder.database + ".restoring"
        for suffix in ["", "-wal", "-shm"] { unlink(fresh + suffix) }
        try await onThread { try FileManager.default.copyItem(atPath: path + "/continuo.sqlite", toPath: fresh) }
        let store = try SQLiteStore(path: fresh)
        try store.checkIntegrity()
        _ = try await copyBlobs(
            of: store,
            from: try BlobStore(folder: path + "/files"),
            to: try BlobStore(folder: folder.files)
        )
        try await store.renewEpochs { Epoch.fresh() }
        try store.close()
        for suffix in ["-wal", "-shm"] { unlink(fresh + suffix) }
        // Told as restored only when a power cut does not take it back.
        guard chmod(fresh, 0o600) == 0, synchronise(fresh), rename(fresh, folder.database) == 0, synchronise(data)
        else {
            throw BackupError(problem: "\(folder.database) cannot be written", mend: "check rights and space")
        }
        return manifest
    }

    /// Has the disk take a file or a folder.
    private static func synchronise(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return fsync(descriptor) == 0
    }

    /// Copies every blob that the database refers to, checking each against its hash.
    private static func copyBlobs(
        of store: SQLiteStore,
        from source: BlobStore,
        to target: BlobStore
    ) async throws -> (count: Int, bytes: Int64) {
        var after = BlobHash(stored: "")
        var count = 0
        var bytes: Int64 = 0
        while true {
            let from = after
            let rows = try await store.read { try $0.blobs(after: from, limit: 200) }
            for row in rows where row.references > 0 {
                try await onThread { try target.copy(row.hash, from: source) }
                count += 1
                bytes += row.bytes
            }
            guard let last = rows.last, rows.count == 200 else { return (count, bytes) }
            after = last.hash
        }
    }

    private static func requireEmpty(_ path: String) throws {
        guard path.hasPrefix("/") else {
            throw BackupError(problem: "\(path) is not a full path", mend: "begin it with '/'")
        }
        let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        guard contents.isEmpty else {
            throw BackupError(problem: "\(path) is not empty", mend: "give a folder that does not exist yet")
        }
    }

    private static func write(_ data: Data, to path: String) throws {
        try data.write(to: URL(filePath: path), options: .atomic)
    }

    /// Runs blocking work on a thread of its own, off the tasks' threads.
    static func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
