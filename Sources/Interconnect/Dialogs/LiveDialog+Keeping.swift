import FoundationEssentials
import Logging
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Synchronization

/// A conversation that goes on after a restart: its dialog is kept with the session, and a re-INVITE makes a new path.
extension LiveDialog {
    /// What is kept.
    private struct Kept: Codable {
        var role: PeerDialog.Role
        var dialog: KeptDialog
        var description: DialogDescription.Kept
        var media: PeerMedia.Kept?
        /// Who is in it, where this side is the focus.
        var participants: [Address]?
    }

    /// Keeps what is agreed now.
    func keep() async {
        let isFocus = isFocus
        let kept: Kept? = state.withLock { state in
            guard !state.isOver, let dialog = state.dialog, let description = state.description.kept else { return nil }
            return Kept(
                role: state.machine.role,
                dialog: KeptDialog(dialog),
                description: description,
                media: state.machine.media.kept,
                participants: isFocus ? state.machine.participants : nil
            )
        }
        guard let kept else { return }
        do {
            let text = String(decoding: try JSONEncoder().encode(kept), as: UTF8.self)
            try await service.keep(dialog: text, of: key.session, for: key.own, with: key.other)
        } catch {
            log("a conversation would not go on after a restart", error)
        }
    }

    /// One that was kept; nil when it cannot go on.
    convenience init?(
        _ kept: KeptConversation,
        _ peer: Peer,
        _ interconnect: Interconnect,
        _ running: Interconnect.Running
    ) {
        guard let record = try? JSONDecoder().decode(Kept.self, from: Data(kept.dialog.utf8)),
            let dialog = try? Dialog(record.dialog)
        else { return nil }
        let key = Key(session: kept.session, own: kept.own, other: kept.other)
        self.init(key, record.role, kept.conversation, peer, interconnect, running, at: interconnect.address)
        let isKept = state.withLock { state in
            guard (try? state.description.resume(record.description)) != nil else { return false }
            state.machine = PeerDialog(
                resuming: record.role,
                of: key.own,
                with: key.other,
                name: RandomText.token(8),
                hasRelay: running.relay != nil,
                hasTexts: !state.description.isCall,
                now: .now()
            )
            state.dialog = dialog
            if let participants = record.participants { state.machine.resume(with: participants) }
            if let media = record.media, let (local, remote) = state.description.agreed {
                state.machine.media.resume(media, local: local, remote: remote)
            }
            return true
        }
        guard isKept else { return nil }
        if record.participants != nil { focus.withLock { $0 = true } }
    }
}
