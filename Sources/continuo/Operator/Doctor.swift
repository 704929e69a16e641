import ArgumentParser
import ClientWire
import ContinuoServer
import Foundation
import MessagingCore

/// `continuo doctor`
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Examine configuration, server, database and files; say what is wrong and what mends it."
    )
    @OptionGroup var server: OperatorOptions

    func run() async throws {
        let configuration = try server.configuration()
        var findings = [Finding("configuration", .good, configurationPath(server.config) ?? "defaults")]
        do {
            findings += try await ContinuoServer.examine(data: configuration.data)
        } catch let error as DataFolderError where error.problem.contains("in use") {
            findings.append(Finding("data", .notice, "\(configuration.data) is in use; it is examined while stopped"))
            findings.append(await runningServer())
        } catch {
            findings.append(Finding("data", .bad, "\(error)"))
        }
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
