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

    @OptionGroup var options: DeviceOptions
    @Option(help: ArgumentHelp("End after so many messages arrived.", valueName: "number"))
    var count: Int?
    @Flag(help: "End once everything there is has come.")
    var once = false
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "seconds"))
    var seconds: Double?

    func validate() throws {
        guard (0...1e9).contains(seconds ?? 0) else { throw ValidationError("--seconds is 0 to 1000000000") }
    }

    func run() async throws {
        let printer = WatchPrinter(json: options.json)
        let end = End(count: count, once: once, seconds: seconds)
        let profile = try options.profile()
        try await reaching {
            let session = DeviceSession(client: try profile.client(), journal: try profile.journal())
            try await end.run(session, printer)
        }
    }
}

/// When `watch` ends.
private struct End: Sendable {
    struct Finished: Error {}

    let count: Int?
    let once: Bool
    let seconds: Double?
    private let arrived = Counter()

    init(count: Int?, once: Bool, seconds: Double?) {
        self.count = count
        self.once = once
        self.seconds = seconds
    }

    func run(_ session: DeviceSession, _ printer: WatchPrinter) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await session.run { event in
                    try printer.show(event)
                    try after(event)
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

    private func after(_ event: SessionEvent) throws {
        switch event {
        case .mailbox(.arrived(let item)) where item.kind == "message":
            let total = arrived.next()
            if let count, total >= count { throw Finished() }
        case .upToDate where once: throw Finished()
        case .disconnected(let reason, _) where once: throw ClientError.unreachable(reason)
        default: break
        }
    }
}

/// Counts from one.
private final class Counter: Sendable {
    private let count = Atomic(0)

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}

/// Prints what a session tells.
private struct WatchPrinter: Sendable {
    /// One line of `--json`.
    private struct Line: Encodable, Sendable {
        var event: String
        var item: ItemDocument?
        var reason: String?
    }

    let json: Bool

    func show(_ event: SessionEvent) throws {
        switch event {
        case .connected: try line("connected", "connected")
        case .typing, .signal: break
        case .upToDate: if json { try line("up-to-date", "") }
        case .disconnected(let reason, let wait):
            let seconds = String(format: "%.1f", wait / .seconds(1))
            try line("disconnected", "disconnected: \(reason); again in \(seconds) s", reason: reason)
        case .mailbox(.relisted(let reason)):
            try line("relisted", "listed anew (\(reason.rawValue))", reason: reason.rawValue)
        case .mailbox(.arrived(let item)):
            // Devices, rules and the like arrive with the first listing: news for programs, not for people.
            if json || item.kind == "message" { try line("arrived", item.text, item) }
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
        if json { try printJSON(Line(event: event, item: item, reason: reason)) } else { print(text) }
        fflush(nil)
    }
}
