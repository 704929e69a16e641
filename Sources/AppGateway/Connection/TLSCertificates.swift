import FoundationEssentials
public import Logging
import NIOSSL
public import ServiceLifecycle
import Synchronization
import UnixSignals

/// Where a listener's certificate chain and its private key are, both PEM.
public struct TLSFiles: Sendable, Hashable {
    public var certificateChain: String
    public var privateKey: String

    /// Names the two files.
    public init(certificateChain: String, privateKey: String) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// A listener's certificates, read again when the files change or on SIGHUP; connections in being keep theirs.
public final class TLSCertificates: Sendable {
    private struct Loaded {
        var context: NIOSSLContext
        var contents: [Data]
    }

    private let files: TLSFiles
    private let logger: Logger
    private let loaded: Mutex<Loaded>

    /// Reads the files.
    /// - Throws: when one cannot be read, is no PEM, or the key is not the certificate's.
    public init(_ files: TLSFiles, logger: Logger) throws {
        self.files = files
        self.logger = logger
        loaded = Mutex(try Self.load(files))
    }

    /// What new connections use.
    var context: NIOSSLContext { loaded.withLock { $0.context } }

    /// Reads the files again if they changed.
    ///
    /// Files that cannot be used leave the old certificate in force, and are reported.
    /// - Returns: whether new certificates are in force.
    @discardableResult
    public func reload() -> Bool {
        do {
            let contents = try Self.read(files)
            guard contents != loaded.withLock({ $0.contents }) else { return false }
            let fresh = try Self.load(files)
            loaded.withLock { $0 = fresh }
            logger.notice("TLS certificates reloaded", metadata: ["file": "\(files.certificateChain)"])
            return true
        } catch {
            logger.error(
                "TLS certificates could not be reloaded; the old ones stay",
                metadata: ["file": "\(files.certificateChain)", "error": "\(error)"]
            )
            return false
        }
    }

    private static func read(_ files: TLSFiles) throws -> [Data] {
        [
            try Data(contentsOf: URL(filePath: files.certificateChain)),
            try Data(contentsOf: URL(filePath: files.privateKey)),
        ]
    }

    private static func load(_ files: TLSFiles) throws -> Loaded {
        let contents = try read(files)
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(contents[0]))
        let key = try NIOSSLPrivateKey(bytes: Array(contents[1]), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return Loaded(context: try NIOSSLContext(configuration: configuration), contents: contents)
    }
}

/// Looks at the certificate files from time to time, and at once on SIGHUP.
public struct TLSReloader: Service {
    private let readers: [@Sendable () -> Void]
    private let interval: Duration

    /// Watches the files of these certificates.
    /// - Parameter others: read again what other doors show, if it changed.
    public init(
        _ certificates: [TLSCertificates],
        others: [@Sendable () -> Void] = [],
        interval: Duration = .seconds(10)
    ) {
        readers = certificates.map { certificate in { certificate.reload() } } + others
        self.interval = interval
    }

    /// Runs until the server shuts down.
    public func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in signals { reload() }
                }
                group.addTask {
                    while (try? await Task.sleep(for: interval)) != nil { reload() }
                }
            }
        }
    }

    private func reload() { for read in readers { read() } }
}
