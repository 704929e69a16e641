import BlobStore
import Foundation
import Interconnect
public import Logging
import MessagingCore
import NIOPosix
import SQLiteStore
import Store

/// What `continuo doctor` found about one thing.
public struct Finding: Sendable, Codable, Equatable {
    /// How bad it is.
    public enum Grade: String, Sendable, Codable {
        case good
        case notice
        case bad
    }

    public var subject: String
    public var grade: Grade
    public var text: String
    /// What to do about it.
    public var mend: String?

    /// A finding.
    public init(_ subject: String, _ grade: Grade, _ text: String, mend: String? = nil) {
        self.subject = subject
        self.grade = grade
        self.text = text
        self.mend = mend
    }
}

extension ContinuoServer {
    /// Examines what the configuration names: the certificates of all doors.
    public static func examine(_ configuration: Configuration) -> [Finding] {
        configuration.certificateProblems().map { Finding($0.key, .bad, $0.problem, mend: $0.mend) }
    }

    /// Examines the way to another provider, step by step.
    public static func examine(peer domain: String, _ configuration: Configuration, logger: Logger) async -> [Finding] {
        guard let peering = configuration.interconnect else {
            return [
                Finding(
                    "interconnect",
                    .bad,
                    "this server has no connection to other providers",
                    mend: "give interconnect.listen and its certificates; docs/interconnect.md shows how"
                )
            ]
        }
        return await Interconnect.examine(domain, peering, logger: logger).map { finding in
            Finding(finding.subject.rawValue, finding.isGood ? .good : .bad, finding.text, mend: finding.mend)
        }
    }

    /// Below this the disk is called nearly full.
    static let lowSpaceBytes: Int64 = 1 << 30
    static let listedProblems = 5

    /// Examines a stopped server's data: the database's structure, and each blob against its row and its hash.
    /// - Throws: ``DataFolderError`` when the folder is in use.
    public static func examine(data path: String) async throws -> [Finding] {
        guard FileManager.default.fileExists(atPath: path + "/continuo.sqlite") else {
            return [Finding("data", .notice, "\(path) holds no database yet", mend: "'continuo serve' makes it")]
        }
        let folder = try DataFolder(path)
        var findings = [Finding("data", .good, path), spaceFinding(path)]
        let store: SQLiteStore
        do {
            // Looking changes nothing: whoever goes back to the version before can.
            guard try !SQLiteStore.isOlder(path: folder.database) else {
                let text = "it was written by an older version, and is examined no further"
                return findings
                    + [
                        Finding(
                            "database",
                            .notice,
                            text,
                            mend: "copy the folder; 'continuo serve' brings it up to date"
                        )
                    ]
            }
            store = try SQLiteStore(path: folder.database)
            try await onThread { try store.checkIntegrity() }
            findings.append(Finding("database", .good, "its structure is sound"))
        } catch {
            findings.append(Finding("database", .bad, "\(error)", mend: "restore a backup with 'continuo restore'"))
            return findings
        }
        let blobs = try BlobStore(folder: folder.files)
        var problems: [String] = []
        var rows = 0
        var after = BlobHash(stored: "")
        while true {
            let from = after
            let page = try await store.read { try $0.blobs(after: from, limit: 500) }
            for row in page where row.references > 0 {
                rows += 1
                if try !blobs.exists(row.hash) {
                    problems.append("\(row.hash) is missing")
                } else if try await !onThread({ try blobs.isIntact(row.hash) }) {
                    problems.append("\(row.hash) holds other bytes")
                }
            }
            guard let last = page.last, page.count == 500 else { break }
            after = last.hash
        }
        var files: [BlobHash] = []
        try blobs.forEachBlob { files.append($0) }
        let pending = Set(try blobs.uploadsOnDisk().compactMap(\.hash))
        for file in files where !pending.contains(file) {
            if try await store.read({ try $0.blob(file) }) == nil { problems.append("\(file) belongs to nothing") }
        }
        try store.close()
        findings.append(
            problems.isEmpty
                ? Finding("files", .good, "\(rows) files, each whole and named by a row")
                : Finding(
                    "files",
                    .bad,
                    "\(problems.count) problems: " + problems.prefix(listedProblems).joined(separator: "; "),
                    mend: "restore a backup with 'continuo restore'"
                )
        )
        return findings
    }

    private static func spaceFinding(_ path: String) -> Finding {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: path)
        guard let free = (attributes?[.systemFreeSize] as? NSNumber)?.int64Value else {
            return Finding("disk", .notice, "free space cannot be read")
        }
        let text = "\(free >> 20) MiB free"
        return free < lowSpaceBytes
            ? Finding("disk", .bad, text, mend: "make room: writes are refused when the disk is full")
            : Finding("disk", .good, text)
    }
}
