import ClientWire
import Foundation
import MessagingCore
import SessionCore

/// Prints what happens in live conversations: for people, or one JSON object a line.
struct ChatPrinter: Sendable {
    /// One line of `--json`.
    private struct Line: Encodable, Sendable {
        var event: String
        var text: String?
        var from: Address?
        var ordinal: Ordinal?
        var session: SessionDocument?
    }

    let json: Bool

    func ready() { put(Line(event: "ready"), "ready; /help shows what can be done") }

    func said(_ message: Envelope, _ ordinal: Ordinal) {
        let text = message.parts.compactMap(\.text).joined(separator: "\n")
        put(
            Line(event: "said", text: text, from: message.from, ordinal: ordinal),
            "\(shown(message.from)): \(printable(text))"
        )
    }

    func request(_ session: SessionDocument) {
        let about = session.subject.map { ": \(printable($0))" } ?? ""
        let text = session.text.map { "\n    \(printable($0))" } ?? ""
        put(
            Line(event: "request", session: session),
            "\(shown(session.creator)) asks for a conversation\(about)\(text)\n    /accept, /reject or /ignore"
        )
    }

    func outcome(_ session: SessionDocument, _ labels: [DeviceID: String]) {
        let text =
            switch session.request?.outcome {
            case .accepted:
                "accepted on \(session.request?.device.flatMap { labels[$0] }.map(printable) ?? "another device")"
            case .rejected: "rejected"
            case .cancelled: "\(shown(session.creator)) took the request back"
            case .missed: "missed: \(shown(session.creator)) asked"
            case .waiting, nil: ""
            }
        put(Line(event: "outcome", text: session.request?.outcome.rawValue, session: session), text)
    }

    func state(_ session: SessionDocument) {
        let text =
            switch session.state {
            case .calling: "asking \(session.with) ..."
            case .alerting: ""
            case .joining: "joining ..."
            case .open: "talking with \(session.with)"
            case .over: "over: \(Self.reason(session.end))"
            }
        guard !text.isEmpty else { return }
        put(Line(event: session.state.rawValue, text: session.end?.rawValue, session: session), text)
    }

    private static func reason(_ end: SessionEnd?) -> String {
        switch end {
        case .left, nil: "somebody left"
        case .removed: "you were taken out"
        case .rejected: "the request was rejected"
        case .cancelled: "the request was taken back"
        case .missed: "nobody answered"
        case .unreachable: "the other provider cannot be reached"
        }
    }

    func participants(_ session: SessionDocument) {
        put(Line(event: "participants", session: session), "with \(session.with)")
    }

    func media(_ lines: [String]) {
        let text = lines.isEmpty ? "no media beside text" : lines.joined(separator: "\n")
        put(Line(event: "media", text: text), "media: \(text)")
    }

    func typing(_ hint: TypingHint) {
        put(Line(event: "typing", from: hint.from), "\(hint.from.map(shown) ?? "somebody") types ...")
    }

    func device(_ status: DeviceStatus) {
        let features = status.device.capabilities.features.map(printable).joined(separator: ", ")
        let state = status.isConnected ? "connected" : status.isRegistered ? "registered" : "not registered"
        let this = status.isThis ? " (this one)" : ""
        plain(
            "\(status.device.id.rawValue)  \(printable(status.device.label))\(this), \(status.device.kind.rawValue), "
                + "\(state): \(features.isEmpty ? "text" : features)"
        )
    }

    func session(_ text: String) { plain(text) }

    func note(_ text: String) { put(Line(event: "note", text: text), "* \(text)") }

    func failure(_ text: String) { put(Line(event: "problem", text: text), "! \(text)") }

    func plain(_ text: String) { put(Line(event: "info", text: text), text) }

    private func put(_ line: Line, _ text: String) {
        if json { try? printJSON(line) } else { print(text) }
        fflush(nil)
    }
}
