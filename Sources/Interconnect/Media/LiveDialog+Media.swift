import ClientWire
import MediaSignalling
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Synchronization

/// Voice and video of a conversation: signals of devices on one side, offers and answers of the dialog on the other.
extension LiveDialog {
    /// One of our devices says something to the other side's.
    func take(_ signal: MediaSignal) {
        guard let payload = MediaPayload(signal.payload) else { return }
        let device = state.withLock { state in
            state.machine.media.lines.compactMap { $0.medium == signal.medium ? $0.end : nil }
                .first { $0.generation == signal.generation && $0.user ?? key.own == signal.from }
        }
        guard let device else { return }
        hear(payload, Crossing(medium: signal.medium, end: device))
    }

    func perform(_ action: PeerMedia.Action) async {
        switch action {
        case .say(let line): await say(line)
        case .signal(let medium, let end, let generation, let payload):
            await say(payload, Crossing(medium: medium, end: end), from: generation)
        case .invite: renegotiate(.media)
        case .cancelInvite:
            let invite = state.withLock { state in
                state.isModificationUnwanted = true
                return state.modification
            }
            invite?.cancel(reason: .takenBack)
        case .answer: await answer()
        }
    }

    /// Opens an INVITE of theirs. Its answer may have to wait for our user, or for a device.
    /// - Throws: ``DialogDescription/Problem``.
    func ask(_ request: PeerRequest, _ timer: SessionTimer.Offer, _ offer: [UInt8], isFirst: Bool) throws {
        let media = try state.withLock { state in
            let media = try state.description.open(offer)
            state.question = Question(place: .response(request, timer), isFirst: isFirst)
            return media
        }
        handle(.media(.offered(media, isFirst: isFirst)))
        let waits = state.withLock { $0.machine.media.phase == .theirs }
        if waits { request.respond(180, headers: [(.contact, contact)]) }
    }

    /// The answer to it is complete.
    private func answer() async {
        let answered: (question: Question, bytes: [UInt8]?, isMoved: Bool)? = state.withLock { state in
            guard let question = state.question.take() else { return nil }
            var (media, files) = (state.machine.media, state.files)
            let result = try? state.description.answer { offer in
                let answers = media.answers(to: offer)
                // Where no texts are there is no place for files.
                guard DialogDescription.hasTexts(offer, .provider) else { return answers }
                return answers.merging(files.answers(to: offer, begin: begin)) { medium, _ in medium }
            }
            state.machine.media = media
            if result == nil { files.withdraw(to: state.files) } else { state.files = files }
            return (question, result?.answer, result?.isMoved ?? false)
        }
        guard let (question, bytes, isMoved) = answered else { return }
        guard let bytes else {
            refuse(question, 488)
            guard !question.isInAcknowledgement else {
                _ = handle(.fruitless)
                return
            }
            // There is nobody to hang up on.
            if question.isFirst { state.withLock { $0.dialog?.terminate() } }
            handle(question.isFirst ? .vanished : .media(.withdrawn))
            return
        }
        let (connects, isCall) = state.withLock { state in
            (state.description.path?.other.connects ?? false, state.description.isCall)
        }
        let isOther = !isCall && (isMoved || question.isFirst)
        // Whoever is connected to has to be there when the answer arrives; whoever connects must not come before it.
        if isOther, !connects { connect() }
        switch question.place {
        case .response(let request, let timer): self.answered(request, bytes, timer)
        case .acknowledgement(let call): running.stack.acknowledge(call, bytes)
        }
        if isOther, connects { connect() }
        letGo()
        if isCall { handle(.withoutTexts) }
        handle(.media(.settled))
        await keep()
    }
}
