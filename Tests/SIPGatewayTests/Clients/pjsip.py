"""PJSIP as a phone that has no screen: registers, writes, shows what comes, and makes calls with a tone for a voice."""

import ctypes
import glob
import os
import sys
import tempfile

import pjsua2

from client import commands, tell

account = dict(zip(["address", "user", "password", "realm", "port", "transport"], sys.argv[1:]))
server = f"sip:127.0.0.1:{account['port']};transport={account['transport']}"


class Account(pjsua2.Account):
    def onRegState(self, state):
        tell("registration", state="ok" if state.code == 200 and state.expiration > 0 else str(state.code))

    def onInstantMessage(self, message):
        tell("message", text=message.msgBody, type=message.contentType, sender=message.fromUri)

    def onInstantMessageStatus(self, message):
        tell("sent", text=message.msgBody, status=message.code)

    def onTypingIndication(self, message):
        tell("typing", sender=message.fromUri, typing=message.isTyping)

    def onIncomingCall(self, incoming):
        calls.append(Call(self, incoming.callId))
        answer = pjsua2.CallOpParam()
        answer.statusCode = pjsua2.PJSIP_SC_OK
        calls[-1].answer(answer)


class Call(pjsua2.Call):
    """Says a tone and records what it hears."""

    recorder = None

    def onCallState(self, _):
        info = self.getInfo()
        tell("call", state=info.stateText, status=info.lastStatusCode)

    def onCallMediaState(self, _):
        info = self.getInfo()
        for index, medium in enumerate(info.media):
            if medium.type == pjsua2.PJMEDIA_TYPE_AUDIO and medium.status == pjsua2.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                tone.startTransmit(audio)
                if self.recorder is None:
                    self.recorder = pjsua2.AudioMediaRecorder()
                    path = tempfile.mkdtemp() + "/heard.wav"
                    self.recorder.createRecorder(path)
                    tell("recording", text=path)
                audio.startTransmit(self.recorder)

    def onCallTransferStatus(self, progress):
        tell("transfer", status=progress.statusCode)
        progress.cont = True


# The package has an OpenSSL of its own that knows no hashes before it is told to.
for library in glob.glob(os.path.dirname(pjsua2.__file__) + "/../pjsua2_python.libs/libcrypto-*"):
    ctypes.CDLL(library).OpenSSL_add_all_digests()
endpoint = pjsua2.Endpoint()
endpoint.libCreate()
settings = pjsua2.EpConfig()
settings.logConfig.level = 0
settings.logConfig.consoleLevel = 0
settings.uaConfig.threadCnt = 0
settings.uaConfig.mainThreadOnly = True
endpoint.libInit(settings)
transport = pjsua2.TransportConfig()
transport.boundAddress = "127.0.0.1"
kind = pjsua2.PJSIP_TRANSPORT_TCP if account["transport"] == "tcp" else pjsua2.PJSIP_TRANSPORT_UDP
endpoint.transportCreate(kind, transport)
endpoint.libStart()
endpoint.audDevManager().setNullDev()

phone = pjsua2.AccountConfig()
phone.idUri = account["address"]
phone.regConfig.registrarUri = server
phone.regConfig.timeoutSec = 300
phone.sipConfig.proxies.append(server + ";lr")
phone.sipConfig.authCreds.append(
    pjsua2.AuthCredInfo("digest", account["realm"], account["user"], 0, account["password"])
)
own = Account()
own.create(phone)
buddies = {}
calls = []
tone = pjsua2.ToneGenerator()
tone.createToneGenerator()
description = pjsua2.ToneDesc()
description.freq1, description.freq2, description.on_msec, description.off_msec = 700, 0, 1000, 0
tones = pjsua2.ToneDescVector()
tones.append(description)
tone.play(tones, True)


def buddy(address):
    if address not in buddies:
        settings = pjsua2.BuddyConfig()
        settings.uri = address
        settings.subscribe = False
        buddies[address] = pjsua2.Buddy()
        buddies[address].create(own, settings)
    return buddies[address]


def do(command):
    match command["do"]:
        case "send":
            message = pjsua2.SendInstantMessageParam()
            message.content = command["text"]
            buddy(command["to"]).sendInstantMessage(message)
        case "type":
            typing = pjsua2.SendTypingIndicationParam()
            typing.isTyping = True
            buddy(command["to"]).sendTypingIndication(typing)
        case "call":
            parameters = pjsua2.CallOpParam(True)
            if "replaces" in command:
                header = pjsua2.SipHeader()
                header.hName, header.hValue = "Replaces", command["replaces"]
                parameters.txOption.headers.append(header)
            calls.append(Call(own))
            calls[-1].makeCall(command["to"], parameters)
        case "refer":
            calls[-1].xfer(command["to"], pjsua2.CallOpParam())
        case "hangup":
            calls[-1].hangup(pjsua2.CallOpParam())
        case "end":
            os._exit(0)


while True:
    endpoint.libHandleEvents(20)
    for command in commands():
        do(command)
