import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SIP
import SessionCore

/// What becomes of each line.
extension PeerMedia {
    // MARK: As the session has it

    /// The medium is on this device now.
    mutating func aim(_ index: Int, _ medium: Medium, at end: MediaLine.End, _ at: Moment) -> [Action] {
        let line = lines[index]
        switch line.stage {
        case .asking(let theirs, _): return press(index, theirs, end, medium, at)
        case .asked: return summon(index, end, medium, at)
        case .pressing(let before, let theirs, _, _):
            return before == end ? [] : press(index, theirs, end, medium, at)
        case .summoning(let before, _, _): return before == end ? [] : summon(index, end, medium, at)
        case .waiting(let offer): return offer.end == end ? [] : summon(index, end, medium, at)
        case .running:
            guard line.agreed?.end != end, line.refused != end else { return [] }
            return summon(index, end, medium, at)
        // First what is said already comes to its end.
        case .pressed, .offered, .closing: return []
        }
    }

    mutating func summon(_ index: Int, _ end: MediaLine.End, _ medium: Medium, _ at: Moment) -> [Action] {
        lines[index].stage = .summoning(end, again: at.now + Self.sayAgain, until: at.now + Self.summonTime)
        return signal(.summon, end, medium)
    }

    mutating func press(
        _ index: Int,
        _ theirs: SDP.MediaDescription,
        _ end: MediaLine.End,
        _ medium: Medium,
        _ at: Moment
    ) -> [Action] {
        if let before = lines[index].agreed?.theirs, theirs.isOtherConnection(than: before) { lines[index].epoch += 1 }
        let until = answerBy ?? at.now + Self.pressTime
        lines[index].stage = .pressing(end, theirs, again: at.now + Self.sayAgain, until: until)
        return signal(lines[index].press(theirs, medium, of: partner(in: medium)), end, medium)
    }

    private func signal(_ payload: MediaPayload, _ end: MediaLine.End, _ medium: Medium) -> [Action] {
        guard let there = medium.placements[other] else { return [] }
        return [.signal(medium.id, end, from: there.generation, payload)]
    }

    /// Their hold is the session's.
    mutating func hold(_ index: Int, _ medium: Medium, _ at: Moment) -> [Action] {
        guard lines[index].isHeldThere != medium.held.contains(other) else {
            lines[index].holding = nil
            return []
        }
        guard lines[index].agreed != nil, lines[index].holding == nil else { return [] }
        let id = MessageID(stored: "\(name)-\(next().rawValue)")
        lines[index].holding = id
        return propose(lines[index].isHeldThere ? .hold(medium.id) : .resume(medium.id), at, id: id)
    }

    /// Its medium is over.
    mutating func drop(_ index: Int) -> [Action] {
        let line = lines[index]
        let isOut = if case .offered = line.stage { true } else { false }
        guard isOut || line.slot != nil && line.agreed != nil else {
            lines.remove(at: index)
            return []
        }
        lines[index].stage = .closing
        return isOut && phase == .ours ? [.cancelInvite] : []
    }

    /// It cannot be agreed upon.
    mutating func fail(_ index: Int, _ reason: String, _ at: Moment) -> [Action] {
        let line = lines[index]
        let medium = medium(of: line)
        var actions = medium.flatMap { medium in line.end.map { signal(.refused(reason), $0, medium) } } ?? []
        if let medium, let agreed = line.agreed, let end = line.end, end != agreed.end, agreed.end == place(of: medium)
        {
            // A move that they would not have: it stays where it is.
            lines[index].stage = .running
            lines[index].refused = end
            return actions
        }
        actions += self.end(index, at)
        let isOut = if case .offered = line.stage { true } else { false }
        if line.slot == nil || line.agreed == nil && !isOut {
            lines.remove(at: index)
        } else {
            lines[index].stage = .closing
        }
        return actions
    }

    // MARK: What devices say

    mutating func take(_ payload: MediaPayload, of id: MediumID, from end: MediaLine.End, _ at: Moment) -> [Action] {
        guard let index = lines.firstIndex(where: { $0.medium == id && $0.end == end }),
            let medium = medium(of: lines[index])
        else { return [] }
        let line = lines[index]
        switch payload {
        case .ask:
            switch line.stage {
            case .pressing(_, let theirs, _, _):
                return signal(line.press(theirs, medium, of: partner(in: medium)), end, medium)
            case .summoning: return signal(.summon, end, medium)
            // It has begun anew, and the other side has to learn of it.
            case .running: return summon(index, end, medium, at)
            case .asking, .asked, .pressed, .waiting, .offered, .closing: return []
            }
        case .description(.offer, let description, let names):
            return offered(description, names, index, end, medium, at)
        case .description(.answer, let description, _): return answered(description, index, end, at)
        case .refused(let reason): return fail(index, reason, at)
        case .needsProtection:
            // What is offered in the clear is not made anew: the other side has said what it can.
            guard case .pressing = line.stage else { return [] }
            return unanswered(index, MediaPayload.noRelay, at)
        case .summon, .press: return []
        }
    }

    private mutating func offered(
        _ description: SessionDescription,
        _ names: [String: MediumID],
        _ index: Int,
        _ end: MediaLine.End,
        _ medium: Medium,
        _ at: Moment
    ) -> [Action] {
        let line = lines[index]
        if let reply = line.reply, reply.end == end, reply.offer == description {
            // What it was answered was lost.
            return signal(reply.payload, end, medium)
        }
        guard line.takesOffers else { return [] }
        let media = description.withSelfContainedMedia.media
        let named = media.firstIndex { $0.mediaID.flatMap { names[$0] } == medium.id }
        guard let place = named ?? media.firstIndex(where: { $0.type == medium.kind.rawValue && !$0.isRejected }),
            !media[place].isRejected, media[place].type == medium.kind.rawValue
        else { return [] }
        var offer = MediaLine.Offer(
            end: end,
            own: MediaLine.outward(media[place]),
            asked: description,
            index: place,
            until: at.now + Self.summonTime
        )
        if case .waiting(let before) = line.stage { offer.until = before.until }
        lines[index].stage = .waiting(offer)
        return []
    }

    private mutating func answered(
        _ description: SessionDescription,
        _ index: Int,
        _ end: MediaLine.End,
        _ at: Moment
    ) -> [Action] {
        guard case .pressing(_, let theirs, _, _) = lines[index].stage else { return [] }
        let media = description.withSelfContainedMedia.media
        guard let answer = media.first(where: { !$0.isRejected }), answer.type == theirs.type else {
            return unanswered(index, "the device takes none of what the other side offers", at)
        }
        let agreed = MediaLine.Agreed(end: end, own: MediaLine.outward(answer), theirs: theirs)
        guard phase != .theirs else {
            lines[index].stage = .pressed(agreed)
            return consent(index, at)
        }
        lines[index].agreed?.theirs = theirs
        // It says the same of itself as before: nobody need be told.
        if let before = lines[index].agreed, before.end == end, before.own.isSamePlace(as: agreed.own) {
            lines[index].stage = .running
        } else {
            let offer = MediaLine.Offer(end: end, own: agreed.own, until: at.now + Self.summonTime)
            lines[index].stage = .waiting(offer)
        }
        return []
    }

    /// What our user proposed and they offered themselves is agreed to once the device has answered.
    private mutating func consent(_ index: Int, _ at: Moment) -> [Action] {
        let line = lines[index]
        guard let id = line.proposal, !line.isConsented,
            board.pending.contains(where: { $0.proposal.id == id && $0.awaited.contains(other) })
        else { return [] }
        lines[index].isConsented = true
        return tell(.consent(id, on: line.number), at)
    }

    /// A device did not answer what the other side has: where something was agreed on before, it is said again.
    private mutating func unanswered(_ index: Int, _ reason: String, _ at: Moment) -> [Action] {
        guard lines[index].agreed == nil else {
            lines[index].stage = .running
            return []
        }
        return fail(index, reason, at)
    }

    // MARK: Time

    mutating func clock(_ at: Moment) -> [Action] {
        var actions = boardClock(at)
        if case .blocked(let until) = phase, until <= at.now { phase = .idle }
        // Nobody here has come for it.
        if let answerBy, answerBy <= at.now { unclaimed = [] }
        for index in lines.indices.reversed() {
            let line = lines[index]
            guard let deadline = line.deadline, deadline <= at.now else { continue }
            switch line.stage {
            case .asking:
                // The other side is answered without it; a later yes is an offer of ours. Nobody has left what they came to.
                if line.joining != nil, let medium = medium(of: line) { actions += tellCrowd(medium, beside: [other]) }
                lines[index].stage = .asked
                lines[index].slot = nil
            case .pressing(let end, let theirs, _, let until):
                guard until > at.now, let medium = medium(of: line) else {
                    actions += unanswered(index, "the device does not answer", at)
                    continue
                }
                lines[index].stage = .pressing(end, theirs, again: at.now + Self.sayAgain, until: until)
                actions += signal(line.press(theirs, medium, of: partner(in: medium)), end, medium)
            case .summoning(let end, _, let until):
                guard until > at.now, let medium = medium(of: line) else {
                    actions += fail(index, "the device does not begin", at)
                    continue
                }
                lines[index].stage = .summoning(end, again: at.now + Self.sayAgain, until: until)
                actions += signal(.summon, end, medium)
            case .waiting: actions += fail(index, "the other provider does not answer", at)
            case .asked, .pressed, .offered, .running, .closing: break
            }
        }
        return actions
    }
}
