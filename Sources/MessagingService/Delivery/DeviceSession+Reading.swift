import ClientWire
import Logging
import MessagingCore
import Store

/// From the first frame to the head of the mailbox, in turns of a reader.
extension DeviceSession {
    func open(_ hello: ClientFrame.Hello) {
        service.identify(token: hello.token) { [inbox, self] result in
            inbox.post {
                guard case .identifying = self.phase else { return }
                switch result {
                case .success(let identity): self.begin(identity) { _ in hello.cursor }
                case .failure(let error): self.end(refusing: error)
                }
            }
        }
    }

    /// Begins for a device that proved itself otherwise and keeps no cursor: the server's own record of it counts.
    func openKept(_ identity: DeviceIdentity) {
        guard case .awaitingHello = phase else { return }
        begin(identity) { reader in
            // Every number that the server keeps was one of this very mailbox, whatever its epoch is called now.
            let account = reader.user.account
            let kept = reader.device.cursor
            return Cursor(
                epoch: account.epoch,
                number: min(kept.number, account.head),
                level: min(kept.level, account.head)
            )
        }
    }

    private func begin(_ identity: DeviceIdentity, from position: @escaping @Sendable (PageReader) -> Cursor?) {
        phase = .opening(identity)
        // Before the head is read: a change committed after that read finds this session waiting.
        service.hub.attach(identity, self, inbox: inbox)
        service.attendance(of: identity)
        readStore { [stream] reader in
            let account = reader.user.account
            let cursor = position(reader)
            let catchUp = CatchUp.decide(
                cursor: cursor,
                epoch: account.epoch,
                head: account.head,
                trim: account.trim
            )
            let arrived = try reader.arrivals(upTo: cursor)
            var ahead = stream
            var steps: [StreamStep] = []
            if case .read(let request) = ahead.open(catchUp, head: account.head) {
                steps = try reader.steps(request, ahead: ahead)
            }
            return { [device = reader.device, steps] session in
                session.start = cursor?.number ?? 0
                session.opened(identity, account, device, catchUp, steps)
                if !arrived.isEmpty { session.service.delivered(identity.account, arrived) }
            }
        }
    }

    private func opened(
        _ identity: DeviceIdentity,
        _ account: Account,
        _ device: Device,
        _ catchUp: CatchUp,
        _ steps: [StreamStep]
    ) {
        guard case .opening = phase else { return }
        phase = .open(identity)
        epoch = account.epoch
        let now = service.clock()
        var frame = ServerFrame()
        frame.welcome = ServerFrame.Welcome(
            account: identity.account,
            device: identity.device,
            epoch: account.epoch,
            head: account.head,
            now: now,
            windowItems: service.configuration.window.items,
            windowBytes: service.configuration.window.bytes,
            leaseMilliseconds: Limits.leaseMilliseconds
        )
        write(frame)
        follow(stream.open(catchUp, head: account.head), steps)
        if device.isRegistered(at: now) {
            // The next tick notes at once that it was here and how far it came.
            progressIsDue = true
        } else {
            saveProgress(identity, now)
        }
    }

    func act(_ action: DeviceStream.Action) {
        switch action {
        case .none, .push: break
        case .fail: end(CloseCode.badFrame, "the acknowledgement is beyond what was sent")
        case .mark(let number):
            write(upTo: number)
            link.flush()
        case .read(let request):
            guard link.isWritable else {
                heldRequest = request
                return
            }
            read(request)
        }
    }

    func read(_ request: DeviceStream.Request) {
        readStore { [stream] reader in
            let steps = try reader.steps(request, ahead: stream)
            return { $0.follow(.read(request), steps) }
        }
    }

    /// Goes the steps that were read, as long as they are what the stream asks for: it may have moved meanwhile.
    private func follow(_ first: DeviceStream.Action, _ steps: [StreamStep]) {
        guard case .open = phase else { return }
        guard !stream.isRewinding else { return act(stream.rewind(hasRead: true)) }
        var action = first
        for step in steps {
            guard action == .read(step.request) else { break }
            if let frame = step.frame { link.write(frame) }
            action = stream.take(step)
        }
        link.flush()
        act(action)
    }

    /// Runs a read in the store and what it returns back here.
    private func readStore(
        _ body: @escaping @Sendable (PageReader) throws -> @Sendable (DeviceSession) -> Void
    ) {
        guard let identity = phase.identity else { return }
        service.store.read({ [service, inbox, self] view in
            let next: @Sendable (DeviceSession) -> Void
            do {
                next = try body(PageReader(service: service, view: view, identity: identity))
            } catch let refusal as Refusal where [.unauthenticated, .notEntitled].contains(refusal.code) {
                next = { $0.end(refusing: refusal) }
            } catch {
                service.logger.error("reading for a device failed", metadata: ["error": "\(type(of: error))"])
                next = { $0.end(CloseCode.goingAway, "the server could not read") }
            }
            inbox.post { next(self) }
        }) { [inbox, self] _ in
            inbox.post { self.end(CloseCode.goingAway, "the server could not read") }
        }
    }
}
