"""The sandbox: a local Bot API server with a chat page, for demos and tests.

server          one port for the Bot API, the person side and the page
bot_api/        what a bot calls: `/bot<token>/<method>`
person_side/    what people and tests do and see: `/sim/...`
page/           the chat page, which uses only `/sim/...`
world/          people, chats, messages, updates: the state behind both sides
formatting/     texts and keyboards
media/          uploaded files
faults, limits, watching    injected faults, flood limits, the call log and events
"""
