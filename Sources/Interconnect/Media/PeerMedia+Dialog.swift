import MediaRelaying
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SIP
import SessionCore

/// The dialog's offers and answers, as far as they are about media.
extension PeerMedia {
    /// Takes one input.
    mutating func take(_ input: Input, _ at: Moment) -> [Action] {
        var actions: [Action] = []
        switch input {
        case .signal(let medium, let end, let payload): actions = take(payload, of: medium, from: end, at)
        case .offered(let media, let isFirst): actions = offered(media, isFirst: isFirst, at)
        case .accepted(let media, let wanted): accepted(media, wanted, at)
        case .settled: if phase == .answering { phase = .idle }
        case .withdrawn: actions = withdraw(at)
        case .answered(let media): actions = answered(media, at)
        case .refused(let status, let delay): actions = refused(status, delay, at)
        case .notBegun(let delay): if phase == .due { phase = .blocked(until: at.now + delay) }
        case .clock: actions = clock(at)
        }
        return proceed(at, actions)
    }

    /// What is next in the dialog.
    mutating func advance() -> [Action] {
        switch phase {
        case .theirs:
            guard unclaimed.isEmpty, !lines.contains(where: \.isOwed) else { return [] }
            phase = .answering
            answerBy = nil
            return [.answer]
        case .idle:
            guard lines.contains(where: needsInvite) else { return [] }
            phase = .due
            return [.invite]
        case .due, .ours, .answering, .blocked: return []
        }
    }

    private func needsInvite(_ line: MediaLine) -> Bool {
        switch line.stage {
        case .waiting, .closing: true
        case .running: line.agreed != nil && wish(line) != line.told
        case .asking, .asked, .pressing, .pressed, .summoning, .offered: false
        }
    }

    private func wish(_ line: MediaLine) -> MediaDirection {
        medium(of: line).map { MediaLine.wish($0, of: partner(in: $0)) } ?? line.told ?? .sendReceive
    }

    private func directed(_ own: SDP.MediaDescription, _ wish: MediaDirection) -> SDP.MediaDescription {
        var own = own
        let stated = own.statedDirection ?? .sendReceive
        own.setDirection(MediaDirection(sends: stated.sends && wish.sends, receives: stated.receives && wish.receives))
        return own
    }

    // MARK: Ours

    /// Puts into an offer of ours what is to be said of the media now; each line keeps its slot, and a new one takes a
    /// free slot (RFC 3264, section 8).
    mutating func offer(in description: inout SessionDescription) {
        phase = .ours
        for index in lines.indices {
            let line = lines[index]
            if case .waiting(let offer) = line.stage {
                lines[index].told = wish(line)
                let medium = directed(offer.own, wish(line))
                if let slot = line.slot, description.media.indices.contains(slot) {
                    description.media[slot] = medium
                } else {
                    lines[index].slot = description.add(medium)
                    lines[index].isNew = true
                }
                lines[index].stage = .offered(offer)
            } else if let agreed = line.agreed, let slot = line.slot, line.stage != .closing,
                description.media.indices.contains(slot)
            {
                lines[index].told = wish(line)
                description.media[slot] = directed(agreed.own, wish(line))
            }
        }
        // After that, so that no slot is given up and taken again in one offer.
        for line in lines where line.stage == .closing {
            if let slot = line.slot, description.media.indices.contains(slot) { description.remove(at: slot) }
        }
    }

    /// Our INVITE was accepted.
    private mutating func answered(_ media: [SDP.MediaDescription], _ at: Moment) -> [Action] {
        guard phase == .ours else { return [] }
        phase = .idle
        var actions: [Action] = []
        for index in lines.indices.reversed() {
            lines[index].isNew = false
            let line = lines[index]
            guard let slot = line.slot, media.indices.contains(slot) else { continue }
            let theirs = media[slot]
            switch line.stage {
            case .closing:
                // What was taken back too late still has to be taken out.
                if theirs.isRejected { lines.remove(at: index) }
            case .offered(let offer):
                guard !theirs.isRejected else {
                    if let again = inTheClear(index, offer, at) {
                        actions += again
                        continue
                    }
                    actions += fail(index, "the other side does not take it", at)
                    if lines.indices.contains(index), lines[index].stage == .running {
                        // It has lost what it had as well: the slot is dead.
                        actions += end(index, at)
                        lines[index].stage = .closing
                    }
                    continue
                }
                actions += settle(index, offer, theirs, at)
            case .running, .summoning, .waiting, .pressing, .pressed:
                guard let agreed = line.agreed else { continue }
                if theirs.isRejected {
                    actions += end(index, at)
                    lines[index].stage = .closing
                } else {
                    actions += renew(index, agreed, theirs, isOffer: false, at)
                }
            case .asking, .asked: break
            }
        }
        return actions
    }

    /// They refuse what a browser offers: the device is asked again, and what it says then goes by the relay.
    private mutating func inTheClear(_ index: Int, _ offer: MediaLine.Offer, _ at: Moment) -> [Action]? {
        guard hasRelay, !isPlainThere, offer.asked?.isProtected ?? false, let medium = medium(of: lines[index]) else {
            return nil
        }
        isProtectionRefused = true
        return summon(index, offer.end, medium, at)
    }

    private mutating func settle(
        _ index: Int,
        _ offer: MediaLine.Offer,
        _ theirs: SDP.MediaDescription,
        _ at: Moment
    ) -> [Action] {
        var actions: [Action] = []
        let line = lines[index]
        lines[index].agreed = MediaLine.Agreed(end: offer.end, own: offer.own.settled(by: theirs), theirs: theirs)
        lines[index].stage = .running
        lines[index].refused = nil
        if line.told?.sends ?? true { lines[index].isHeldThere = theirs.isHold }
        if let id = line.proposal, !line.isConsented {
            lines[index].isConsented = true
            actions += tell(.consent(id, on: line.number), at)
        }
        guard let medium = medium(of: line), let there = medium.placements[other],
            let payload = MediaLine.answer(theirs, to: offer, medium, of: partner(in: medium)),
            let asked = offer.asked
        else { return actions }
        lines[index].reply = MediaLine.Reply(end: offer.end, offer: asked, payload: payload)
        return actions + [.signal(medium.id, offer.end, from: there.generation, payload)]
    }

    /// Our INVITE came to nothing: what it was for is tried again, or fails.
    private mutating func refused(_ status: SIPStatus, _ delay: TimeAmount, _ at: Moment) -> [Action] {
        guard phase == .ours else { return [] }
        let isLater = [491, 500, 503].contains(status.rawValue)
        phase = .idle
        var actions: [Action] = []
        for index in lines.indices.reversed() {
            if lines[index].isNew { (lines[index].slot, lines[index].isNew) = (nil, false) }
            let line = lines[index]
            switch line.stage {
            case .offered(let offer) where isLater && offer.until > at.now:
                lines[index].stage = .waiting(offer)
                phase = .blocked(until: at.now + delay)
            case .offered(let offer):
                actions +=
                    (status == 488 ? inTheClear(index, offer, at) : nil)
                    ?? fail(index, "the other provider refuses it (\(status.rawValue))", at)
            case .closing:
                // What they never had need not be taken out.
                if line.slot == nil { lines.remove(at: index) } else { phase = .blocked(until: at.now + delay) }
            case .waiting: phase = .blocked(until: at.now + delay)
            case .running:
                lines[index].told = isLater ? nil : wish(line)
                if isLater { phase = .blocked(until: at.now + delay) }
            case .asking, .asked, .pressing, .pressed, .summoning: break
            }
        }
        return actions
    }

    // MARK: Theirs

    private mutating func offered(_ media: [SDP.MediaDescription], isFirst: Bool, _ at: Moment) -> [Action] {
        phase = .theirs
        var actions: [Action] = []
        for (slot, theirs) in media.enumerated() {
            guard let kind = MediumKind(rawValue: theirs.type), Self.carries(kind) else { continue }
            if let index = lines.firstIndex(where: { $0.slot == slot }) {
                actions += changed(index, theirs, at)
            } else if !theirs.isRejected {
                // A dialog that begins anew brings the media that ran in the one before.
                if let index = lines.firstIndex(where: { $0.slot == nil && $0.kind == kind && $0.agreed != nil }) {
                    lines[index].slot = slot
                    actions += changed(index, theirs, at)
                } else if lines.count < Self.linesMaximum {
                    actions += proposed(kind, theirs, slot, isFirst: isFirst, at)
                }
            }
        }
        for index in lines.indices.reversed() where lines[index].slot == nil && lines[index].agreed != nil {
            actions += end(index, at)
            lines.remove(at: index)
        }
        return actions
    }

    /// They accept, and make the offer: what our user has asked for is theirs by the consent that this is. The rest is
    /// refused in its place.
    private mutating func accepted(_ media: [SDP.MediaDescription], _ wanted: [MediumKind], _ at: Moment) {
        phase = .theirs
        answerBy = at.now + Self.acknowledgementTime
        unclaimed = Self.kinds(of: wanted).compactMap { kind in
            media.firstIndex { $0.type == kind.rawValue && !$0.isRejected }.map { slot in
                Unclaimed(kind: kind, slot: slot, theirs: media[slot])
            }
        }
    }

    private mutating func proposed(
        _ kind: MediumKind,
        _ theirs: SDP.MediaDescription,
        _ slot: Int,
        isFirst: Bool,
        _ at: Moment
    ) -> [Action] {
        let until = at.now + (isFirst ? Self.firstAskTime : Self.askTime)
        var line = MediaLine(number: next(), kind: kind, stage: .asking(theirs, until: until))
        line.slot = slot
        lines.append(line)
        return propose(lines.count - 1, theirs, at)
    }

    /// Asks our user for a line of theirs.
    mutating func propose(_ index: Int, _ theirs: SDP.MediaDescription, _ at: Moment) -> [Action] {
        let id = MessageID(stored: "\(name)-\(next().rawValue)")
        lines[index].proposal = id
        let direction: MediumDirection =
            switch theirs.statedDirection ?? .sendReceive {
            case .sendReceive, .inactive: .both
            case .sendOnly: .from(other)
            case .receiveOnly: .from(partner)
            }
        let change = MediaChange.add(lines[index].kind, direction, source: nil, device: lines[index].number)
        return propose(change, at, id: id)
    }

    private mutating func changed(_ index: Int, _ theirs: SDP.MediaDescription, _ at: Moment) -> [Action] {
        let line = lines[index]
        guard line.stage != .closing, let agreed = line.agreed else { return [] }
        if theirs.isRejected {
            let medium = line.medium
            lines.remove(at: index)
            return medium.map { propose(.remove($0), at) } ?? []
        }
        return renew(index, agreed, theirs, isOffer: true, at)
    }

    /// What they say now of a line that there is.
    private mutating func renew(
        _ index: Int,
        _ agreed: MediaLine.Agreed,
        _ theirs: SDP.MediaDescription,
        isOffer: Bool,
        _ at: Moment
    ) -> [Action] {
        guard let medium = medium(of: lines[index]) else { return [] }
        let isOneWay = medium.direction == .from(other) && theirs.statedDirection == .sendOnly
        if isOffer || lines[index].told?.sends ?? true { lines[index].isHeldThere = theirs.isHold && !isOneWay }
        if theirs.connection?.isUnspecified ?? false { return [] }
        guard !theirs.isSamePlace(as: agreed.theirs) else { return [] }
        guard lines[index].stage == .running else {
            lines[index].agreed?.theirs = theirs
            return []
        }
        return press(index, theirs, agreed.end, medium, at)
    }

    /// What our 200 says of their lines: by slot, what is not there is refused in its place.
    mutating func answers(to offer: SessionDescription) -> [Int: MediaAcceptance] {
        var answers: [Int: MediaAcceptance] = [:]
        let offered = offer.withSelfContainedMedia.media
        for index in lines.indices.reversed() {
            let line = lines[index]
            guard let slot = line.slot, offered.indices.contains(slot) else { continue }
            switch line.stage {
            case .pressed(let agreed):
                // One way only is how they want it; neither way is on hold from the beginning.
                if line.agreed == nil { lines[index].isHeldThere = offered[slot].statedDirection == .inactive }
                lines[index].agreed = agreed
                lines[index].stage = .running
            case .closing:
                lines.remove(at: index)
                continue
            case .asking, .asked, .pressing, .summoning, .waiting, .offered, .running: break
            }
            let wish = wish(lines[index])
            lines[index].told = wish
            guard let agreed = lines[index].agreed else { continue }
            answers[slot] = MediaLine.acceptance(agreed.own, of: offered[slot], wish: wish)
        }
        return answers
    }

    /// Their INVITE was taken back, or could not be answered.
    private mutating func withdraw(_ at: Moment) -> [Action] {
        phase = .idle
        (unclaimed, answerBy) = ([], nil)
        var actions: [Action] = []
        for index in lines.indices.reversed() {
            let line = lines[index]
            switch line.stage {
            case .asking:
                if let id = line.proposal { actions += tell(.withdraw(id, .superseded), at) }
                lines.remove(at: index)
            case .pressing, .pressed:
                if line.agreed != nil {
                    lines[index].stage = .running
                } else {
                    actions += end(index, at)
                    lines.remove(at: index)
                }
            case .asked, .summoning, .waiting, .offered, .running, .closing: break
            }
        }
        return actions
    }

    /// The media beside texts that an offer has.
    static func wanted(_ offer: [UInt8]) -> [MediumKind] {
        guard let offer = try? SessionDescription(parsing: offer) else { return [] }
        let kinds = offer.media.filter { !$0.isRejected }.compactMap { MediumKind(rawValue: $0.type) }
        return Self.kinds(of: kinds)
    }

    /// Those that a dialog carries, each once.
    static func kinds(of all: [MediumKind]) -> [MediumKind] { [.audio, .video].filter(all.contains) }
}
