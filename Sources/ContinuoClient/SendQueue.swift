public import ClientWire
import FoundationEssentials
import Glibc
public import MessagingCore

/// Messages on their way out, each a file: what was taken survives a restart and is sent once.
public struct SendQueue: Sendable {
    /// What became of a queued message.
    public enum Outcome: Sendable {
        case sent(SendAnswer)
        /// The server will not take it; it has left the queue.
        case refused(MessageID, ClientError)
    }

    private let folder: String

    /// A queue in a folder, which is made if needed.
    /// - Throws: ``ClientError`` `storage`.
    public init(folder: String) throws {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw ClientError.storage("\(folder) cannot be made")
        }
    }

    /// Takes a message; it is on disk when this returns.
    public func add(_ request: SendRequest) throws {
        let path = "\(folder)/\(request.id)"
        let descriptor = open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ClientError.storage("\(folder) cannot be written") }
        defer { close(descriptor) }
        let bytes = try StrictJSON.encode(request)
        let wrote = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard wrote == bytes.count, fsync(descriptor) == 0, rename(path + ".new", path) == 0 else {
            throw ClientError.storage("\(folder) cannot be written")
        }
    }

    /// Messages that wait, in the order of their making.
    public func waiting() throws -> [SendRequest] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { !$0.hasSuffix(".new") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: "\(folder)/\(name)")
                .flatMap { try? StrictJSON.decode(SendRequest.self, from: $0) }
        }
    }

    /// Sends what waits, in order.
    /// - Parameter told: what became of each, as it is known.
    /// - Throws: ``ClientError`` when no answer of the server came; that message and those behind it stay queued.
    public func flush(_ client: ContinuoClient, attempts: Int = 3, told: (Outcome) throws -> Void) async throws {
        for request in try waiting() {
            let outcome: Outcome
            do {
                outcome = .sent(try await client.send(request, attempts: attempts))
            } catch let error as ClientError where !error.isTemporary && error.code != nil {
                // Only the server itself refuses for good; what somebody between said does not count.
                outcome = .refused(request.id, error)
            }
            unlink("\(folder)/\(request.id)")
            try told(outcome)
        }
    }
}
