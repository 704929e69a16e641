import ArgumentParser
import ClientWire
import ContinuoServer
import Foundation
import MessagingCore

/// `continuo doctor`
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Examine configuration, server, database and files, or the way to another provider.",
        discussion: """
            Says what is wrong and what mends it. With a domain, it looks at the way there: own certificate, route, \
            connection, the other certificate, answer to OPTIONS, and clock.
            """
    )
    @Argument(help: "The domain of another provider.") var peer: String?
    @OptionGroup var server: OperatorOptions

    func run() async throws {
        let configuration = try server.configuration()
        var findings = [Finding("configuration", .good, configurationPath(server.config) ?? "defaults")]
        findings += ContinuoServer.examine(configuration)
        if let peer {
            findings += await ContinuoServer.examine(peer: peer, configuration, logger: makeLogger("error"))
            return try report(findings)
        }
        do {
            findings += try await ContinuoServer.examine(data: configuration.data)
        } catch let error as DataFolderError where error.problem.contains("in use") {
            findings.append(Finding("data", .notice, "\(configuration.data) is in use; it is examined while stopped"))
            findings.append(await runningServer())
        } catch {
            findings.append(Finding("data", .bad, "\(error)"))
        }
        try report(findings)
    }

    private func report(_ findings: [Finding]) throws {
        for finding in findings {
            if server.json {
                try printJSON(finding)
            } else {
                let mark =
                    switch finding.grade {
                    case .good: "ok  "
                    case .notice: "note"
                    case .bad: "BAD "
                    }
                print("\(mark)  \(finding.subject): \(finding.text)")
                if let mend = finding.mend { print("      \(mend)") }
            }
        }
        if findings.contains(where: { $0.grade == .bad }) { throw CommandFailure.refused("something is wrong") }
    }

    private func runningServer() async -> Finding {
        do {
            let status = try await server.client().get("/operator/status", as: StatusDocument.self)
            return Finding(
                "server",
                .good,
                "version \(status.version), \(status.connections) connections, \(status.outbox) in the outbox"
            )
        } catch {
            return Finding("server", .bad, "\(error)", mend: "look at the server's log")
        }
    }
}
