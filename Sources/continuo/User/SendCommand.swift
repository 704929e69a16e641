import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// `continuo send`
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a message: text, files, replies, parts of other messages.",
        discussion: """
            What cannot be sent now is kept, and sent once by the next 'continuo send' that reaches the server.
            Sending can be repeated safely: a message never becomes two.
            """
    )
    @OptionGroup var options: DeviceOptions
    @Argument(help: "Receivers; none sends only what was kept.")
    var to: [String] = []
    @Option(help: "The text; '-' reads it from standard input.")
    var text: String?
    @Option(help: ArgumentHelp("A file to send along; may be given several times.", valueName: "path"))
    var file: [String] = []
    @Option(help: ArgumentHelp("A part of a message held: MESSAGE-ID or MESSAGE-ID/PART.", valueName: "part"))
    var forward: [String] = []
    @Option(help: "What it is about.")
    var subject: String?
    @Option(help: ArgumentHelp("Answer this message; its sender becomes a receiver.", valueName: "message-id"))
    var reply: String?
    @Option(help: "Which of your own addresses it comes from.")
    var from: String?
    @Option(help: ArgumentHelp("Gone after so many minutes.", valueName: "minutes"))
    var expires: Int?
    @Flag(inversion: .prefixedNo, help: "Ask to be told of delivery and of reading.")
    var reports = true
    @Option(help: ArgumentHelp("Repeat under this id instead of a new one.", valueName: "message-id"))
    var id: String?

    func run() async throws {
        let profile = try options.profile()
        try await reaching {
            let client = try profile.client()
            let queue = try profile.sendQueue()
            if !to.isEmpty || reply != nil { try queue.add(try await request(client, profile)) }
            var refused: ClientError?
            do {
                try await queue.flush(client) { outcome in
                    switch outcome {
                    case .sent(let answer): try show(answer)
                    case .refused(let id, let error):
                        printError("\(id) was refused: \(error)")
                        refused = error
                    }
                }
            } catch let error as ClientError {
                let waiting = try queue.waiting().count
                throw CommandFailure.unreachable("\(error)\n    \(waiting) kept; 'continuo send' tries again")
            }
            if let refused { throw refused }
        }
    }

    private func show(_ answer: SendAnswer) throws {
        if options.json { return try printJSON(answer) }
        print("sent \(answer.id)\(answer.repeated ? " (it was accepted earlier)" : "")")
        for receiver in answer.receivers where receiver.state == "failed" {
            print("  not to \(shown(receiver.address)): \(receiver.reason?.rawValue ?? "failed")")
        }
    }

    private func request(_ client: ContinuoClient, _ profile: DeviceProfile) async throws -> SendRequest {
        var receivers = try to.map(parseAddress)
        var parts: [PartRequest] = []
        if let text {
            let words =
                text == "-"
                ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : text
            parts.append(PartRequest(text: words))
        }
        for path in file {
            let upload = try await uploadFile(path, client, profile, json: options.json)
            var part = PartRequest(text: "")
            part.text = nil
            part.type = nil
            part.upload = upload.id
            parts.append(part)
        }
        for reference in forward {
            let pieces = reference.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let message = try parseMessageID(String(pieces[0]))
            var indices = try pieces.dropFirst().map { text in
                guard let index = Int(text) else {
                    throw CommandFailure.misused("'\(text)' is no part's number: give MESSAGE-ID or MESSAGE-ID/PART")
                }
                return index
            }
            if indices.isEmpty { indices = Array(try await client.message(message).message?.parts.indices ?? 0..<0) }
            for index in indices {
                var part = PartRequest(text: "")
                part.text = nil
                part.type = nil
                part.forward = PartRequest.Forward(message: message, part: index)
                parts.append(part)
            }
        }
        var inReplyTo: MessageID?
        if let reply {
            let id = try parseMessageID(reply)
            inReplyTo = id
            let item = try await client.message(id)
            if let sender = item.message?.from ?? item.notice?.from, !receivers.contains(sender) {
                receivers.append(sender)
            }
        }
        let messageID: MessageID
        if let id { messageID = try parseMessageID(id) } else { messageID = try await newID(client) }
        var request = SendRequest(
            id: messageID,
            to: receivers,
            subject: subject,
            parts: parts,
            reports: reports ? [.delivered, .displayed] : []
        )
        request.from = try from.map(parseAddress)
        request.inReplyTo = inReplyTo
        if let expires { request.expires = try await client.serverTime().advanced(by: milliseconds(minutes: expires)) }
        return request
    }

    /// On the server's clock if it answers; else on ours, so that a message can be kept without it.
    private func newID(_ client: ContinuoClient) async throws -> MessageID {
        do {
            return try await client.newMessageID()
        } catch let error as ClientError where error.isTemporary {
            return .unique(at: Timestamp(rawValue: Int64(Date().timeIntervalSince1970 * 1000)))
        }
    }
}

/// Uploads a file with a progress bar; goes on with an upload of the same file that was cut off earlier.
func uploadFile(
    _ path: String,
    _ client: ContinuoClient,
    _ profile: DeviceProfile,
    json: Bool
) async throws -> UploadDocument {
    let attributes = (try? FileManager.default.attributesOfItem(atPath: path)) ?? [:]
    guard let size = (attributes[.size] as? NSNumber)?.int64Value else {
        throw CommandFailure.misused("\(path) cannot be read")
    }
    guard size > 0 else { throw CommandFailure.misused("\(path) is empty") }
    let changed = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    let mark = "\(URL(fileURLWithPath: path).path)\n\(size)\n\(changed)\n"
    let memory = profile.folder + "/upload"
    let earlier = FileManager.default.contents(atPath: memory).map { String(decoding: $0, as: UTF8.self) }
    let resuming = earlier.flatMap { $0.hasPrefix(mark) ? String($0.dropFirst(mark.count)) : nil }
    let name = safeFileName(URL(fileURLWithPath: path).lastPathComponent, fallback: "file")
    let bar = ProgressBar(name, json: json)
    let upload = try await client.upload(
        file: path,
        type: mediaType(of: path),
        name: name,
        resuming: resuming,
        began: { id in try Data((mark + id).utf8).write(to: URL(fileURLWithPath: memory)) },
        progress: { bar.show($0) }
    )
    try? FileManager.default.removeItem(atPath: memory)
    return upload
}
