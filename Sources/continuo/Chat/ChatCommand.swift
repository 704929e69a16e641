import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// `continuo chat`
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk live: ask somebody, or wait to be asked; accept, move from device to device, add media.",
        discussion: "Lines from the terminal are said; lines that begin with / are commands (/help)."
    )

    @OptionGroup var options: DeviceOptions
    @Argument(help: "Whom to ask; nobody: wait for requests, and look at conversations on other devices.")
    var addresses: [String] = []
    @Option(help: ArgumentHelp("What it is about.", valueName: "text"))
    var subject: String?
    @Option(help: ArgumentHelp("The first text: it rides on the request.", valueName: "text"))
    var message: String?

    func run() async throws {
        let to = try addresses.map(parseAddress)
        let profile = try options.profile()
        try await reaching {
            let client = try profile.client()
            let stream = DeviceSession(client: client, journal: try profile.journal())
            let chat = Chat(client: client, stream: stream, own: profile.description.device, json: options.json)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await stream.run { event in try await chat.take(event) }
                }
                group.addTask {
                    try await chat.ready()
                    if !to.isEmpty { try await chat.ask(to, subject: subject, text: message) }
                    for await line in Self.lines() {
                        guard try await chat.take(ChatInput(line)) else { throw Finished() }
                    }
                    // The end of the input is the end of the person, not of the conversation.
                    throw Finished()
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

    private static let lineBytes = 65536

    /// Lines of the standard input, read on a thread of its own: reading blocks. Not through the buffered stream, whose
    /// lock would be held meanwhile by whoever waits, against all who print.
    private static func lines() -> AsyncStream<String> {
        AsyncStream { continuation in
            let thread = Thread {
                var rest: [UInt8] = []
                while true {
                    let bytes = FileHandle.standardInput.availableData
                    rest += bytes
                    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                        continuation.yield(String(decoding: rest[..<end], as: UTF8.self))
                        rest.removeSubrange(...end)
                    }
                    guard !bytes.isEmpty, rest.count < lineBytes else { break }
                }
                if !rest.isEmpty { continuation.yield(String(decoding: rest, as: UTF8.self)) }
                continuation.finish()
            }
            thread.start()
        }
    }
}

/// `continuo sessions`
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "List live conversations on all your devices, with their media."
    )

    @OptionGroup var options: DeviceOptions

    func run() async throws {
        let (sessions, labels) = try await reaching {
            let client = try options.client()
            let devices = try await client.devices()
            let labels = Dictionary(devices.map { ($0.device.id, $0.device.label) }) { first, _ in first }
            return (try await client.sessions(), labels)
        }
        if options.json {
            for session in sessions { try printJSON(session) }
            return
        }
        for session in sessions { print(session.summary(labels)) }
        if sessions.isEmpty { print("no conversations") }
    }
}
