import Glibc
import NIOCore
import ServiceLifecycle

/// Why a door of the server did not open, by the key of the configuration that it was told by, and what to do.
public struct DoorError: Error, CustomStringConvertible, Sendable {
    public var key: String
    public var address: String
    public var problem: String
    public var mend: String

    public var description: String { "\(key) \(address): \(problem)\n    \(mend)" }

    /// Nil for an error that is not about listening.
    init?(_ error: any Error, key: String, address: String) {
        self.key = key
        self.address = address
        switch error {
        case let error as IOError where error.errnoCode == EADDRINUSE:
            problem = "another program listens there"
            mend = "stop that one, or give an address of its own"
        case let error as IOError where error.errnoCode == EACCES:
            problem = "the server's user may not listen there"
            mend = "give a port above 1023, or let the user have it (CAP_NET_BIND_SERVICE)"
        case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
            problem = "this machine has no such address"
            mend = "give one of its own, or 0.0.0.0 for all"
        case SocketAddressError.unknown(let host, let port):
            problem = "no address is found for \(host), port \(port)"
            mend = "check that name: what listens takes an address of this machine, or 0.0.0.0 for all"
        default: return nil
        }
    }
}

/// A part of the server, by a name: when it listens and cannot, it says where.
struct ServerPart: Service {
    /// That of its configuration, when it listens.
    let key: String
    var address = ""
    let service: any Service

    func run() async throws {
        do {
            try await service.run()
        } catch {
            throw DoorError(error, key: key, address: address) ?? error
        }
    }
}
