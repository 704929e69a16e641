import MSRP
import MSRPTransport
import MessagingCore
import MessagingService
import SDP

/// The files that another provider's user sends in lines of a conversation of their own, by slot (RFC 5547, section 8).
struct FileLines {
    struct Line {
        let file: OfferedFile
        let medium: MediaAcceptance
        let transfer: Transfer

        var isLost: Bool { transfer.isOver && !transfer.hasArrived }
    }

    private(set) var lines: [Int: Line] = [:]

    /// How an offer's files are taken; what is missing, as what cannot be taken, is refused in its place.
    /// - Parameter begin: makes an end for a file; throws when there is none.
    mutating func answers(
        to offer: SessionDescription,
        begin: (OfferedFile, [MSRPURI]) throws -> Line
    ) -> [Int: MediaAcceptance] {
        for (slot, line) in lines where !Self.has(offer, slot, line.file) || line.isLost {
            // They have taken it out, need its place for another one, or begin anew with what came to nothing.
            line.transfer.close()
            lines[slot] = nil
        }
        for slot in offer.media.indices where lines[slot] == nil {
            let medium = offer.media[slot]
            guard medium.isMSRP, medium.isFile, !medium.isRejected,
                lines.values.filter({ !$0.transfer.isOver }).count < InterconnectLimits.filesInConversation,
                let file = try? OfferedFile(offer, slot: slot),
                let other = MessageMedia.peer(offer, slot: slot, accepting: nil),
                let line = try? begin(file, other.path)
            else { continue }
            lines[slot] = line
        }
        return lines.mapValues(\.medium)
    }

    private static func has(_ offer: SessionDescription, _ slot: Int, _ file: OfferedFile) -> Bool {
        offer.media.indices.contains(slot) && !offer.media[slot].isRejected
            && offer.media[slot].fileTransferID == file.transfer
    }

    /// An offer of ours says no more of what is over, as after a restart: where its octets went nobody is.
    func offer(in description: inout SessionDescription) {
        for slot in description.media.indices where description.media[slot].isFile {
            if lines[slot]?.transfer.isOver ?? true { description.remove(at: slot) }
        }
    }

    mutating func close() {
        for line in lines.values { line.transfer.close() }
        lines = [:]
    }

    /// An offer came to nothing after all: what was begun for it ends, what there was before goes on.
    func withdraw(to before: FileLines) {
        for (slot, line) in lines where before.lines[slot]?.transfer !== line.transfer { line.transfer.close() }
    }
}

extension LiveDialog {
    /// Takes a file in: it is said in the conversation, as its texts are.
    /// - Throws: when there are too many.
    func begin(_ file: OfferedFile, _ path: [MSRPURI]) throws -> FileLines.Line {
        let end = try running.media.file(at: address, file)
        let events = SessionEvents()
        let session = try running.media.wait(end.local, for: path, events, accepting: file.carriers)
        let context = IncomingContext(
            sender: key.other,
            receiver: key.own,
            fallbackID: file.message(from: key.other),
            conversation: conversation,
            now: .wallClock(),
            isInConversation: true
        )
        let transfer = Transfer(session, file)
        transfer.start(events, service, context) { [weak self] content in
            guard let self else { throw Refusal(.unavailable, "the conversation is over") }
            try await commit(content)
        }
        return FileLines.Line(file: file, medium: end.medium, transfer: transfer)
    }
}
