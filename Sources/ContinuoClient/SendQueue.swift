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
    /// - Throws: ``ClientError`` when no answer came; the rest stays queued.
    public func flush(_ client: ContinuoClient, attempts: Int = 3) async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        for request in try waiting() {
            do {
                outcomes.append(.sent(try await client.send(request, attempts: attempts)))
            } catch let error as ClientError where !error.isTemporary {
                outcomes.append(.refused(request.id, error))
            }
            unlink("\(folder)/\(request.id)")
        }
        return outcomes
    }
}
