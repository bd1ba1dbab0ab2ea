"""The gateway: one endpoint in front of many servers. Names, lists, pages and resources, and who they belong to.

What is here is rules without input and output, and what drives relays by them. A message is judged under the server
it belongs to, in that server's own names: before it is judged on its way there, and after it was on its way back,
nothing but these rules touches it.
"""
