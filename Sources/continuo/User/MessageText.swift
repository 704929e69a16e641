import ClientWire
import Foundation
import MessagingCore

extension ItemDocument {
    /// The message as a person reads it in a terminal: a line about it, then what it says.
    var text: String {
        guard kind == "message" else { return "\(kind) \(id)" }
        var lines: [String] = []
        let isSent = boxes?.contains("sent") == true
        let marks = [
            isSent ? nil : read == true ? "read" : "new", silent == true ? "silent" : nil,
            deliver == .notification ? "notification" : nil, released == true ? "no longer stored" : nil,
        ].compactMap { $0 }
        let state = marks.isEmpty ? "" : " [\(marks.joined(separator: ", "))]"
        if let message {
            let to = message.to.map(shown).joined(separator: ", ")
            lines.append("\(message.date)  \(shown(message.from)) -> \(to)\(state)  \(id)")
            if let subject = message.subject { lines.append("    \(printable(subject))") }
            for (index, part) in message.parts.enumerated() {
                if let text = part.text, part.type.hasPrefix("text/plain") {
                    lines += printable(text).split(separator: "\n", omittingEmptySubsequences: false).map {
                        "    \($0)"
                    }
                } else {
                    let name = part.name.map { " \(printable($0))" } ?? ""
                    lines.append("    part \(index):\(name) \(part.type), \(formatBytes(part.bytes))")
                }
            }
        } else if let notice {
            lines.append("\(notice.date)  \(shown(notice.from))\(state)  \(id)")
            if let subject = notice.subject { lines.append("    \(printable(subject))") }
            lines.append("    \(formatBytes(notice.bytes)) of \(notice.types.joined(separator: ", "))")
            lines.append("    \(notice.link)")
        } else {
            lines.append("\(id)\(state)")
        }
        if isSent, let receivers, !receivers.isEmpty {
            let states = receivers.map { receiver in
                "\(shown(receiver.address)): \(receiver.state)\(receiver.reason.map { " (\($0.rawValue))" } ?? "")"
            }
            lines.append("    " + states.joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }
}

/// Prints a page of items.
func printItems(_ items: [ItemDocument], json: Bool, empty: String) throws {
    for item in items {
        if json { try printJSON(item) } else { print(item.text) }
    }
    if items.isEmpty, !json { print(empty) }
}
