import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import Synchronization

/// `continuo watch`
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Be this device: catch up, then show what arrives, is read, reported or deleted."
    )

    /// One line of `--json`.
    private struct Line: Encodable, Sendable {
        var event: String
        var item: ItemDocument?
        var reason: String?
    }

    @OptionGroup var options: DeviceOptions
    @Option(help: ArgumentHelp("End after so many messages arrived.", valueName: "number"))
    var count: Int?
    @Flag(help: "End once everything there is has come.")
    var once = false
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "seconds"))
    var seconds: Double?

    func run() async throws {
        try await mapped {
            let profile = try options.profile()
            let client = try profile.client()
            let session = DeviceSession(client: client, journal: try profile.journal())
            let arrived = Mutex(0)
            let limit = count
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await session.run { event in
                        try show(event)
                        if case .mailbox(.arrived(let item)) = event, item.kind == "message" {
                            let total = arrived.withLock {
                                $0 += 1
                                return $0
                            }
                            if let limit, total >= limit { throw Finished() }
                        }
                        if once, case .upToDate = event { throw Finished() }
                        if once, case .disconnected(let reason, _) = event { throw ClientError.unreachable(reason) }
                    }
                }
                if let seconds {
                    group.addTask {
                        try await Task.sleep(for: .seconds(seconds))
                        throw Finished()
                    }
                }
                do {
                    try await group.next()
                } catch is Finished {
                    group.cancelAll()
                }
            }
        }
    }

    private struct Finished: Error {}

    private func show(_ event: SessionEvent) throws {
        switch event {
        case .connected: try line("connected", "connected")
        case .upToDate: try line("up-to-date", "up to date")
        case .disconnected(let reason, let wait):
            let seconds = String(format: "%.1f", wait / .seconds(1))
            try line("disconnected", "disconnected: \(reason); again in \(seconds) s", reason: reason)
        case .mailbox(.relisted(let reason)):
            try line("relisted", "listed anew (\(reason.rawValue))", reason: reason.rawValue)
        case .mailbox(.arrived(let item)): try line("arrived", item.text, item)
        case .mailbox(.changed(let item)): try line("changed", change(item), item)
        case .mailbox(.gone(let item)): try line("gone", "gone: \(item.kind) \(item.id)", item)
        }
    }

    private func change(_ item: ItemDocument) -> String {
        guard item.kind == "message" else { return "changed: \(item.kind) \(item.id)" }
        if item.boxes?.contains("sent") == true, let receivers = item.receivers {
            let states = receivers.map { "\(shown($0.address)) \($0.state)" }.joined(separator: ", ")
            return "report: \(item.id): \(states)"
        }
        return item.read == true ? "read: \(item.id)" : "changed: \(item.text)"
    }

    private func line(_ event: String, _ text: String, _ item: ItemDocument? = nil, reason: String? = nil) throws {
        if options.json { try printJSON(Line(event: event, item: item, reason: reason)) } else { print(text) }
        fflush(nil)
    }
}
