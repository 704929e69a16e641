import AppGateway
import ArgumentParser
import ContinuoServer
import Foundation
import Logging
import Synchronization
import WebFiles

/// `continuo demo`
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run two providers, each with a person and their devices, and print what to try."
    )
    @Option(help: ArgumentHelp("Where the demo keeps everything.", valueName: "folder"))
    var folder = ".demo"
    @Option(help: "First of the ports: two for each provider's devices and operator, then those between them. 0: any.")
    var port = 8080
    @Option(help: "2, or 1 for both people at one provider.")
    var providers = 2
    @Option(help: ArgumentHelp("Serve the web client from a folder, to work on it.", valueName: "folder"))
    var web: String?

    func validate() throws {
        guard (1...2).contains(providers) else { throw ValidationError("--providers is 1 or 2") }
        guard port == 0 || (1...65_000).contains(port) else { throw ValidationError("--port is 0, or up to 65000") }
    }

    func run() async throws {
        let plan = try DemoPlan(providers: providers, root: URL(fileURLWithPath: folder).path, firstPort: port)
        raiseDescriptorLimit()
        let files = web.map(WebFiles.inFolder) ?? .embedded
        var servers: [ContinuoServer] = []
        for provider in plan.providers {
            servers.append(try await openServer(provider.configuration, makeLogger("warning")))
        }
        let guide = DemoGuide(plan: plan, folder: folder)
        let opening = DemoOpening(count: servers.count) { [servers] in
            for (provider, server) in zip(plan.providers, servers) {
                try await DemoPeople(provider: provider, server: server, devices: plan.devices).settle()
            }
            guide.print(tokens: try servers.map { try $0.folder.operatorToken() })
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (provider, server) in zip(plan.providers, servers) {
                    let pages = WebPages(files: files, demo: try plan.page(of: provider))
                    group.addTask { try await server.run(pages: pages) { _ in opening.opened() } }
                }
                // When one cannot run the others end with it.
                try await group.waitForAll()
            }
        } catch {
            throw CommandFailure.refused(
                "the demo cannot run on ports \(plan.ports): \(error)\n    give other ones with --port"
            )
        }
        if let error = opening.failure { throw error }
    }
}

/// Sets the demo up once all its servers listen.
private final class DemoOpening: Sendable {
    private struct State {
        var waiting: Int
        var failure: (any Error)?
    }

    private let state: Mutex<State>
    private let settle: @Sendable () async throws -> Void

    init(count: Int, settle: @escaping @Sendable () async throws -> Void) {
        state = Mutex(State(waiting: count))
        self.settle = settle
    }

    /// What went wrong; the demo has ended for it.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func opened() {
        let isLast = state.withLock { state in
            state.waiting -= 1
            return state.waiting == 0
        }
        guard isLast else { return }
        Task {
            do {
                try await settle()
            } catch {
                state.withLock { $0.failure = commandFailure(error) }
                kill(getpid(), SIGTERM)
            }
        }
    }
}
