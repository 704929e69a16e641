import ClientWire
import FoundationEssentials
import Glibc
public import MessagingCore

/// A device as it is kept on disk: where its server is, its token, its mailbox and what waits to be sent.
public struct DeviceProfile: Sendable {
    /// What is known of the device beside its token.
    public struct Description: Sendable, Codable {
        public var server: ServerAddress
        public var account: AccountID
        public var device: DeviceID
        public var address: Address
        public var label: String
        public var kind: DeviceKind

        /// A description of a device that has logged in.
        public init(
            server: ServerAddress,
            account: AccountID,
            device: DeviceID,
            address: Address,
            label: String,
            kind: DeviceKind
        ) {
            self.server = server
            self.account = account
            self.device = device
            self.address = address
            self.label = label
            self.kind = kind
        }
    }

    public let name: String
    public let folder: String
    public let description: Description
    private let token: String

    /// Where devices are kept: `$XDG_DATA_HOME/continuo/devices`, else below `~/.local/share`.
    public static var defaultFolder: String {
        let environment = ProcessInfo.processInfo.environment
        let data = environment["XDG_DATA_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (data ?? (environment["HOME"] ?? ".") + "/.local/share") + "/continuo/devices"
    }

    /// Names of the devices kept in a folder.
    public static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)/device.json") }.sorted()
    }

    /// Keeps a device that has just logged in.
    /// - Throws: ``ClientError`` `storage` when there is one of that name, or the folder cannot be written.
    public static func create(
        name: String,
        in parent: String,
        description: Description,
        token: String
    ) throws -> DeviceProfile {
        try validate(name)
        let folder = "\(parent)/\(name)"
        guard !FileManager.default.fileExists(atPath: folder + "/device.json") else {
            throw ClientError.storage("there is a device '\(name)' already; log it out first, or take another name")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try write(Data((token + "\n").utf8), to: folder + "/token")
            try write(try StrictJSON.encode(description), to: folder + "/device.json")
        } catch {
            throw ClientError.storage("\(folder) cannot be written")
        }
        return try DeviceProfile(name: name, in: parent)
    }

    /// Opens a device kept earlier.
    /// - Throws: ``ClientError`` `storage` when there is none of that name.
    public init(name: String, in parent: String) throws {
        try Self.validate(name)
        self.name = name
        folder = "\(parent)/\(name)"
        guard let bytes = FileManager.default.contents(atPath: folder + "/device.json"),
            let description = try? StrictJSON.decode(Description.self, from: bytes),
            let token = FileManager.default.contents(atPath: folder + "/token")
        else { throw ClientError.storage("there is no device '\(name)' in \(parent)") }
        self.description = description
        self.token = String(decoding: token, as: UTF8.self).filter { !$0.isWhitespace }
    }

    /// A client that speaks as this device.
    public func client() throws -> ContinuoClient { try ContinuoClient(server: description.server, token: token) }

    /// The device's mailbox on disk; one program at a time.
    public func journal() throws -> MailboxJournal { try MailboxJournal(path: folder + "/mailbox.journal") }

    /// What waits to be sent.
    public func sendQueue() throws -> SendQueue { try SendQueue(folder: folder + "/queue") }

    /// The same device, now that its server is elsewhere.
    /// - Throws: ``ClientError`` `storage`.
    public func moved(to server: ServerAddress) throws -> DeviceProfile {
        var description = description
        description.server = server
        do {
            try Self.write(try StrictJSON.encode(description), to: folder + "/device.json")
        } catch {
            throw ClientError.storage("\(folder) cannot be written")
        }
        return try DeviceProfile(name: name, in: URL(fileURLWithPath: folder).deletingLastPathComponent().path)
    }

    /// Forgets the device.
    public func remove() throws {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            throw ClientError.storage("\(folder) cannot be removed")
        }
    }

    private static func validate(_ name: String) throws {
        let isPlain = name.utf8.allSatisfy { byte in
            let character = Character(Unicode.Scalar(byte))
            return character.isLetter && character.isASCII || character.isNumber || "-_.".contains(character)
        }
        guard !name.isEmpty, name.utf8.count <= 64, isPlain, !name.hasPrefix(".") else {
            throw ClientError.storage("'\(name)' is no name for a device: letters, digits, - _ . only")
        }
    }

    /// Writes a file that only its owner can read.
    private static func write(_ data: Data, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ClientError.storage("\(path) cannot be written") }
        defer { close(descriptor) }
        let wrote = data.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard wrote == data.count, fsync(descriptor) == 0 else {
            throw ClientError.storage("\(path) cannot be written")
        }
    }
}
