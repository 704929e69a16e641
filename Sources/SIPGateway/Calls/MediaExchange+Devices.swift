import ClientWire
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SessionCore

/// What the devices at the other ends say, and what is next.
extension MediaExchange {
    /// Another device says something of a medium.
    mutating func take(_ payload: MediaPayload, from line: MediaLine, now: NIODeadline) -> [Action] {
        guard var exchange = exchanges[line.peer] else { return [] }
        switch payload {
        case .summon:
            if !exchange.offers || exchange.stage == .agreed { exchange.stage = .open }
            exchange.turn = true
            exchanges[line.peer] = exchange
        case .press(let offer, let names):
            exchanges[line.peer]?.turn = false
            return take(.description(.offer, offer, names: names), from: line, now: now)
        case .ask:
            guard exchange.offers, exchange.stage == .agreed else { return [] }
            exchanges[line.peer]?.stage = .open
        case .description(.offer, let offer, let names):
            guard !exchange.offers else { return [] }
            if offer == exchange.last {
                // What it was answered was lost.
                return exchange.answer.map { [.signal(line, $0)] } ?? []
            }
            let media = offer.media.enumerated().map { index, medium -> MediumID? in
                let named = medium.mediaID.flatMap { names[$0] }
                return exchange.lines.first { $0.medium == named }?.medium
            }
            exchange.last = offer
            exchange.answer = nil
            exchange.stage = .received(offer, media)
            exchanges[line.peer] = exchange
        case .description(.answer, let answer, _):
            guard case .offered(_, let media, _) = exchange.stage else { return [] }
            exchange.stage = .agreed
            exchanges[line.peer] = exchange
            var actions: [Action] = []
            let described = answer.withSelfContainedMedia.media
            for (index, medium) in media.enumerated() {
                guard let place = slots.firstIndex(where: { $0.medium == medium }) else { continue }
                if index < described.count, !described[index].isRejected {
                    slots[place].remote = described[index]
                    if let line = exchange.lines.first(where: { $0.medium == medium }) { actions.append(.agreed(line)) }
                } else {
                    actions.append(.failed(medium))
                }
            }
            return actions + advance(now)
        case .refused, .needsProtection: return exchange.lines.map { .failed($0.medium) }
        }
        return advance(now)
    }

    /// What that device was offered last, once more: it goes another way now.
    func again(_ peer: MediaLine.Peer) -> [Action] {
        guard let exchange = exchanges[peer], case .offered(let payload, _, _) = exchange.stage,
            let first = exchange.lines.first
        else { return [] }
        return [.signal(first, payload)]
    }

    // MARK: Going on

    /// When ``timeReached(_:)`` is to be called.
    var deadline: NIODeadline? {
        var times = exchanges.values.compactMap { exchange -> NIODeadline? in
            if case .offered(_, _, let again) = exchange.stage { again } else { nil }
        }
        if case .owing(let until?) = phase { times.append(until) }
        return times.min()
    }

    /// Offers that were not answered are said again; a phone does not wait for ever.
    mutating func timeReached(_ now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for (peer, exchange) in exchanges {
            guard case .offered(let payload, let media, let again) = exchange.stage, again <= now,
                let first = exchange.lines.first
            else { continue }
            exchanges[peer]?.stage = .offered(payload, media, again: now + Self.offerEvery)
            actions.append(.signal(first, payload))
        }
        return actions + advance(now)
    }

    /// Does what is next.
    mutating func advance(_ now: NIODeadline) -> [Action] {
        switch phase {
        case .none, .fetching, .offering, .blocked, .owing(nil): return []
        case .owing(let until?): return owing(until, now)
        case .idle: return idle(now)
        }
    }

    mutating func owing(_ until: NIODeadline, _ now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) {
            guard let exchange = exchanges[peer], exchange.offers, exchange.stage == .open else { continue }
            var media: [(MediumID, SDP.MediaDescription)] = []
            for line in exchange.lines {
                guard let index = slot(line), let phone = slots[index].phone, !phone.isRejected else {
                    actions.append(.failed(line.medium))
                    continue
                }
                media.append((line.medium, phone))
            }
            guard let first = exchange.lines.first, !media.isEmpty else {
                exchanges[peer]?.stage = .agreed
                continue
            }
            let payload = payload(offering: media)
            exchanges[peer]?.stage = .offered(payload, media.map(\.0), again: now + Self.offerEvery)
            actions.append(.signal(first, payload))
        }
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) { actions += join(peer) }
        let waits = exchanges.values.contains { exchange in
            switch exchange.stage {
            case .offered: true
            // At the beginning the other end's offer is on its way: that spares the phone a change.
            case .open: !exchange.offers && told.isEmpty
            case .received, .agreed: false
            }
        }
        guard now >= until || (!exchanges.isEmpty && !waits) else { return actions }
        for exchange in exchanges.values { for line in exchange.lines { _ = slot(line) } }
        let answer = describe()
        phase = .idle
        return actions + [.answer(answer)] + idle(now)
    }

    /// Both ends have offered. Where they have codecs in common under the same numbers, each one's offer is the other's
    /// answer, and no third round is needed.
    mutating func join(_ peer: MediaLine.Peer) -> [Action] {
        guard var exchange = exchanges[peer], case .received(let offer, let media) = exchange.stage else { return [] }
        let described = offer.withSelfContainedMedia.media
        var common: [(slot: Int, remote: SDP.MediaDescription, phone: SDP.MediaDescription)] = []
        for (index, medium) in media.enumerated() {
            guard let line = exchange.lines.first(where: { $0.medium == medium }) else { continue }
            guard let place = slot(line), let phone = slots[place].phone,
                let formats = described[index].formats(inCommonWith: phone)
            else { return [] }
            var (theirs, own) = (described[index], phone)
            theirs.keepFormats(formats)
            own.keepFormats(formats)
            common.append((place, theirs, own))
        }
        guard common.count == exchange.lines.count, let first = exchange.lines.first else { return [] }
        for (place, theirs, own) in common {
            slots[place].remote = theirs
            slots[place].phone = own
        }
        let payload = MediaPayload.description(.answer, reply(to: offer, media), names: [:])
        exchange.stage = .agreed
        exchange.answer = payload
        exchanges[peer] = exchange
        return [.signal(first, payload)] + exchange.lines.map { .agreed($0) }
    }

    mutating func idle(_ now: NIODeadline) -> [Action] {
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) {
            guard case .received(let offer, let media)? = exchanges[peer]?.stage else { continue }
            let described = offer.withSelfContainedMedia.media
            for (index, medium) in media.enumerated() {
                guard let medium, let line = exchanges[peer]?.lines.first(where: { $0.medium == medium }) else {
                    continue
                }
                let place = slot(line) ?? append(line)
                slots[place].remote = described[index]
            }
            phase = .offering(peer)
            return [.offer(describe())]
        }
        if exchanges.values.contains(where: { $0.offers && $0.stage == .open }) {
            phase = .fetching
            return [.fetch]
        }
        guard isStale || !told.isEmpty && describe(version: false).media != told else { return [] }
        phase = .offering(nil)
        return [.offer(describe())]
    }

    mutating func append(_ line: MediaLine) -> Int {
        slots.append(Slot(kind: line.kind.rawValue, medium: line.medium))
        return slots.count - 1
    }
}
