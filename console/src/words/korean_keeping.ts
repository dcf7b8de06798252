// Words of webhooks, of the parts that keys see, and of calibration.

import type { KEEPING_ENGLISH } from "./english_keeping";

export const KEEPING_KOREAN: Record<keyof typeof KEEPING_ENGLISH, string> = {
  webhooks: "웹훅",
  noWebhooks: "아직 웹훅이 없습니다.",
  newWebhook: "새 웹훅",
  address: "주소 (https://…)",
  events: "이벤트",
  event: "이벤트",
  deliveries: "최근 7일의 전달",
  delivered: "전달됨",
  given_up: "포기함",
  attempts: "시도",
  lastTry: "마지막 시도",
  nextTry: "다음 시도",
  secretOnce: "전달하는 내용은 이 비밀로 서명합니다. 한 번만 보여 줍니다:",
  partOfKey: "보는 문서",
  allDocuments: "모든 문서",
  changePart: "보는 문서 바꾸기",
  partHelp: "키가 보는 문서: JSON 필터, 비우면 모든 문서",
  listOfGroups: "어느 그룹이 문서를 보는지 적은 문서의 목록 (metadata.…)",
  ofGroupsIn: "다음 목록의 그룹:",
  actsFor: "이 키는 그룹을 대신합니다: 그룹의 이름, 쉼표로 구분",
  actFor: "이 그룹으로 묻기",
  decompose: "한 질문이 함께 묻는 두 가지를 따로 검색",
  calibration: "min_score 곡선",
  calibrationHelp: "질문마다 다시 검색해 가장 좋은 구절의 점수를 봅니다. min_score가 답이 있는 질문을 얼마나 남기고 나머지를 얼마나 거절하는지 보여 줍니다.",
  searchAll: "질문 {}개 검색",
  needsBothKinds: "곡선을 그리려면 문서에 답이 있는 질문과 없는 질문이 모두 있어야 합니다.",
  stillAnswered: "답이 있고 계속 답함",
  rightlyRefused: "답이 없고 거절함",
};
