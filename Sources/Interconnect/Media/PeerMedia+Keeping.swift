import MessagingCore
import SDP
import SessionCore

/// What is kept of the media over a restart, and how they begin anew.
extension PeerMedia {
    /// What is kept of it, beside the descriptions.
    struct Kept: Sendable, Hashable, Codable {
        struct Line: Sendable, Hashable, Codable {
            var number: DeviceID
            var kind: MediumKind
            var medium: MediumID
            var slot: Int
            var end: MediaLine.End
            var isHeldThere: Bool
        }

        var board: MediaBoard
        var lines: [Line]
        var last: Int32
    }

    var kept: Kept {
        let kept = lines.compactMap { line -> Kept.Line? in
            guard let medium = line.medium, let slot = line.slot, let agreed = line.agreed, line.stage != .closing
            else {
                return nil
            }
            return Kept.Line(
                number: line.number,
                kind: line.kind,
                medium: medium,
                slot: slot,
                end: agreed.end,
                isHeldThere: line.isHeldThere
            )
        }
        return Kept(board: board, lines: kept, last: last)
    }

    /// Takes up the lines that both descriptions have; what else is in the session is negotiated anew.
    mutating func resume(_ kept: Kept, local: SessionDescription, remote: SessionDescription) {
        take(up: kept)
        let (own, theirs) = (local.withSelfContainedMedia.media, remote.withSelfContainedMedia.media)
        for one in kept.lines {
            guard own.indices.contains(one.slot), theirs.indices.contains(one.slot), !own[one.slot].isRejected,
                !theirs[one.slot].isRejected
            else { continue }
            var line = MediaLine(number: one.number, kind: one.kind, stage: .running)
            line.medium = one.medium
            line.slot = one.slot
            line.told = own[one.slot].statedDirection ?? .sendReceive
            var device = own[one.slot]
            device.setDirection(.sendReceive)
            line.agreed = MediaLine.Agreed(end: one.end, own: device, theirs: theirs[one.slot])
            line.isHeldThere = one.isHeldThere
            lines.append(line)
        }
    }

    /// The other side has lost the dialog: nothing has a place until its next offer is taken.
    mutating func begin() {
        phase = .idle
        (unclaimed, answerBy) = ([], nil)
        for index in lines.indices.reversed() {
            if lines[index].agreed == nil {
                lines.remove(at: index)
            } else {
                lines[index].slot = nil
                lines[index].stage = .running
            }
        }
    }
}
