import MessagingCore
import Store

/// What one request of a device's stream found in the store.
struct StreamStep: Sendable {
    enum Found {
        case page(PageReader.Page)
        /// The device cannot be brought up to date from where it stands.
        case restart(CatchUp.ResetReason, head: ChangeNumber)
    }

    var request: DeviceStream.Request
    var found: Found

    var frame: [UInt8]? {
        if case .page(let page) = found { page.frame } else { nil }
    }
}

extension DeviceStream {
    /// Notes what a step puts on the way, and goes on behind it.
    mutating func take(_ step: StreamStep) -> Action {
        let page: PageReader.Page
        switch step.found {
        case .restart(let reason, let head): return restart(reason, head: head)
        case .page(let found): page = found
        }
        // First: what comes next depends on the room that this page leaves.
        switch step.request {
        case .changes where page.items > 0:
            noteSent(upTo: page.upTo, items: page.items, bytes: page.frame.count, deliverables: page.deliverables)
        case .changes, .digest, .reset:
            if !page.deliverables.isEmpty {
                noteSent(upTo: page.upTo, items: 0, bytes: 0, deliverables: page.deliverables)
            }
        }
        switch step.request {
        case .changes: return wrote(changesUpTo: page.upTo, exhausted: page.last)
        case .digest(_, let createdUpTo):
            return wrote(digestUpTo: page.upTo, createdUpTo: createdUpTo, last: page.last)
        case .reset(let reason, let asOf, _): return wrote(resetAsOf: asOf, reason: reason, next: page.next)
        }
    }
}

extension PageReader {
    /// What a request finds, and what the stream will ask for behind it, as far as its window has room.
    ///
    /// A turn of a reader costs more than a page: the stream is a value, so it is tried ahead on a copy. A listing is
    /// read page by page, for no acknowledgement bounds it.
    func steps(_ first: DeviceStream.Request, ahead stream: DeviceStream) throws -> [StreamStep] {
        var ahead = stream
        var steps: [StreamStep] = []
        var next = first
        while true {
            let step = try step(next)
            steps.append(step)
            if case .reset = next { return steps }
            guard case .read(let request) = ahead.take(step) else { return steps }
            next = request
        }
    }

    private func step(_ request: DeviceStream.Request) throws -> StreamStep {
        let account = user.account
        let found: StreamStep.Found
        switch request {
        // Tombstones beyond the position may be gone: the device was away for so long that it held them no more.
        case .changes(let after, _) where after < account.trim, .digest(let after, _) where after < account.trim:
            found = .restart(.trimmed, head: account.head)
        case .digest(let after, _) where account.head - after > Int64(Limits.digestEntries):
            found = .restart(.tooFarBehind, head: account.head)
        case .changes(let after, let level): found = .page(try changes(after: after, level: level))
        case .digest(let after, let createdUpTo): found = .page(try digest(after: after, createdUpTo: createdUpTo))
        case .reset(let reason, let asOf, let before): found = .page(try reset(reason, asOf: asOf, before: before))
        }
        return StreamStep(request: request, found: found)
    }
}
