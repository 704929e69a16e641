import AppGateway
import ArgumentParser
import ContinuoServer
import Foundation
import Logging
import WebFiles

/// `continuo serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the server until it is told to stop.")

    @Option(help: ArgumentHelp("Configuration, as 'continuo init' writes it.", valueName: "file"))
    var config: String?
    @Option(help: ArgumentHelp("Data folder, instead of the configuration's.", valueName: "folder"))
    var data: String?

    @Option(help: ArgumentHelp("Serve the web client from a folder, to work on it.", valueName: "folder"))
    var web: String?

    func run() async throws {
        var configuration = try readConfiguration(config)
        if let data { configuration.data = data }
        let logger = makeLogger(configuration.logLevel)
        // A request to read files anew, also before there is somebody to do it: files are read at the start anyway.
        signal(SIGHUP, SIG_IGN)
        let server = try await openServer(configuration, logger)
        raiseDescriptorLimit()
        let pages = WebPages(files: web.map(WebFiles.inFolder) ?? .embedded)
        try await server.run(pages: pages) { addresses in
            var metadata: Logger.Metadata = [
                "client": "\(addresses.client)", "operator": "\(addresses.operators)",
            ]
            if let peers = addresses.peers { metadata["interconnect"] = "\(peers)" }
            for (kind, address) in addresses.sip { metadata["sip-\(kind)"] = "\(address)" }
            logger.notice("ready", metadata: metadata)
        }
        logger.notice("stopped; everything acknowledged is on disk")
    }
}

/// Lets the process have as many sockets as it may: the default of a shell is far below what a server needs.
func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// A logger to standard error at a level of the configuration.
func makeLogger(_ level: String) -> Logger {
    var logger = Logger(label: "continuo") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level(rawValue: level) ?? .info
    return logger
}

/// Opens a server, telling what is wrong in the words of the program.
func openServer(_ configuration: Configuration, _ logger: Logger) async throws -> ContinuoServer {
    do {
        return try await ContinuoServer(configuration, logger: logger)
    } catch {
        throw CommandFailure.refused("the server cannot start: \(error)")
    }
}

/// `continuo init`
struct Initialise: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a commented configuration for a deployment of your own."
    )

    @Option(help: ArgumentHelp("Where to write it.", valueName: "file"))
    var output = "continuo.yaml"
    @Option(help: ArgumentHelp("The provider's domain; may be given several times.", valueName: "domain"))
    var domain: [String] = []
    @Option(help: ArgumentHelp("Data folder.", valueName: "folder"))
    var data = "/var/lib/continuo"

    func run() throws {
        guard !FileManager.default.fileExists(atPath: output) else {
            throw CommandFailure.refused("\(output) exists already; it is left as it is\n    give another --output")
        }
        var configuration = Configuration()
        configuration.data = data
        configuration.domains = domain.isEmpty ? ["example.org"] : domain
        do {
            try Data(configuration.commentedYAML.utf8).write(to: URL(fileURLWithPath: output))
        } catch {
            throw CommandFailure.refused("\(output) cannot be written: \(error.localizedDescription)")
        }
        print(
            """
            wrote \(output)
              edit it, then:  continuo serve --config \(output)
              check it with:  continuo doctor --config \(output)
            """
        )
    }
}
